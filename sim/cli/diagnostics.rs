//! Errors and warnings as people read them: what is wrong, the line with carets under it, and what would be right.

use std::io::Write as _;

use crate::error::{Error, Place};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing runs.
    Error,
    /// It runs all the same.
    Warning,
    /// Good to know.
    Note,
}

/// Whether the text may have colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Bare text.
    Plain,
    /// With terminal colours; `anstream` takes them away where they do not belong.
    Coloured,
}

/// The text of an error, without a line break at its end.
pub fn render(error: &Error, severity: Severity, style: Style) -> String {
    let level = match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let title = level.primary_title(error.what.as_str());
    let help = error.help.as_deref();
    let group = match &error.place {
        None => with_help(Group::with_title(title), help),
        Some(place) => match &place.source {
            Some(source) => title.element(snippet(place, source, help)),
            None => {
                let origin =
                    Origin::path(place.file.as_ref()).line(place.line as usize).char_column(place.column as usize);
                with_help(title.element(origin), help)
            }
        },
    };
    renderer.render(&[group]).trim_end().to_owned()
}

/// Prints errors to standard error, one below the other, and how many there are if there are several.
pub fn print_errors(errors: &[Error]) {
    print(errors, Severity::Error);
    if errors.len() > 1 {
        let _ = writeln!(anstream::stderr().lock(), "{} errors", errors.len());
    }
}

/// Prints warnings to standard error.
pub fn print_warnings(warnings: &[Error]) {
    print(warnings, Severity::Warning);
}

fn print(errors: &[Error], severity: Severity) {
    let mut out = anstream::stderr().lock();
    for error in errors {
        let _ = writeln!(out, "{}", render(error, severity, Style::Coloured));
    }
}

fn with_help<'a>(group: Group<'a>, help: Option<&'a str>) -> Group<'a> {
    match help {
        Some(help) => group.element(Level::HELP.message(help)),
        None => group,
    }
}

/// The line of a place with carets under what is wrong, and the help beside them.
fn snippet<'a>(
    place: &'a Place,
    source: &'a str,
    help: Option<&'a str>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let offset = |characters: usize| source.char_indices().nth(characters).map_or(source.len(), |(at, _)| at);
    let start = offset((place.column as usize).saturating_sub(1));
    let end = offset((place.column as usize).saturating_sub(1) + place.width as usize).max(start);
    Snippet::source(source)
        .line_start(place.line as usize)
        .path(place.file.as_ref())
        .annotation(AnnotationKind::Primary.span(start..end).label(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::accept::{AcceptContext, accept, to_error};
    use crate::api::document::read_str;

    #[test]
    fn an_unknown_field_shows_its_line_and_the_nearest_name() {
        let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  selector: {matchLabels: {a: b}}\n  replica: 3\n";
        let (documents, _) = read_str("deploy/web.yaml", text);
        let refusal = accept(&documents[0].value, &AcceptContext::default()).expect_err("an unknown field");
        let errors = to_error(&refusal, &documents[0]);
        let expected = "\
error: unknown field \"spec.replica\"
 --> deploy/web.yaml:7:3
  |
7 |   replica: 3
  |   ^^^^^^^ did you mean `replicas`?";
        assert_eq!(render(&errors[0], Severity::Error, Style::Plain), expected);
    }

    #[test]
    fn an_error_without_a_place_is_one_line_and_a_cure() {
        let error = Error::new("cannot read x.yaml: it is a folder").help("give -R");
        assert_eq!(
            render(&error, Severity::Warning, Style::Plain),
            "warning: cannot read x.yaml: it is a folder\n |\n = help: give -R"
        );
    }
}
