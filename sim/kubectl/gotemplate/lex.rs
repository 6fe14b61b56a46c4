//! A template into tokens.
//!
//! Source: Go `text/template/parse/lex.go`.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Error,
    Text,
    Left,
    Right,
    Space,
    Assign,
    Declare,
    Pipe,
    Char,
    Quoted,
    Raw,
    Variable,
    Field,
    Dot,
    Number,
    CharConstant,
    Identifier,
    Bool,
    Nil,
    Keyword,
    LeftParen,
    RightParen,
    End,
}

/// A token with its place: the offset in bytes and the line from 1.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) position: usize,
    pub(super) line: usize,
    /// Of an error: what is wrong.
    pub(super) error: String,
}

const KEYWORDS: [&str; 10] = ["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"];

/// The tokens of a template; the last one is `End` or `Error`.
pub(super) fn tokens(input: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { input, start: 0, at: 0, line: 1, depth: 0, tokens: Vec::new() };
    match lexer.run() {
        Ok(()) => lexer.emit(Kind::End),
        Err(error) => {
            lexer.emit(Kind::Error);
            if let Some(last) = lexer.tokens.last_mut() {
                last.error = error;
            }
        }
    }
    lexer.tokens
}

struct Lexer<'a> {
    input: &'a str,
    start: usize,
    at: usize,
    line: usize,
    depth: usize,
    tokens: Vec<Token<'a>>,
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.input[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&accept) {
            self.next();
        }
    }

    fn accept(&mut self, set: &str) -> bool {
        let is_in = self.peek().is_some_and(|c| set.contains(c));
        if is_in {
            self.next();
        }
        is_in
    }

    fn emit(&mut self, kind: Kind) {
        let text = &self.input[self.start..self.at];
        self.tokens.push(Token { kind, text, position: self.start, line: self.line, error: String::new() });
        self.skip();
    }

    fn skip(&mut self) {
        self.line += self.input[self.start..self.at].matches('\n').count();
        self.start = self.at;
    }

    fn run(&mut self) -> Result<(), String> {
        while let Some(open) = self.rest().find("{{") {
            let begin = self.at + open;
            let trims = is_trim_left(&self.input[begin + 2..]);
            self.at = begin;
            if trims {
                self.at = self.start + self.input[self.start..begin].trim_end_matches(is_space).len();
            }
            if self.at > self.start {
                self.emit(Kind::Text);
            }
            self.at = begin;
            self.skip();
            self.at += 2;
            let after = if trims { 2 } else { 0 };
            if self.input[self.at + after..].starts_with("/*") {
                self.at += after;
                self.comment()?;
            } else {
                self.emit(Kind::Left);
                self.at += after;
                self.skip();
                self.depth = 0;
                self.action()?;
            }
        }
        self.at = self.input.len();
        if self.at > self.start {
            self.emit(Kind::Text);
        }
        Ok(())
    }

    fn comment(&mut self) -> Result<(), String> {
        let Some(end) = self.rest().find("*/") else { return Err("unclosed comment".to_owned()) };
        self.at += end + 2;
        let Some(trims) = self.at_right() else { return Err("comment ends before closing delimiter".to_owned()) };
        self.at += if trims { 4 } else { 2 };
        if trims {
            self.take_while(is_space);
        }
        self.skip();
        Ok(())
    }

    /// Whether the right delimiter is next, and if so, whether it trims the text after it.
    fn at_right(&self) -> Option<bool> {
        let rest = self.rest();
        let mut chars = rest.chars();
        if chars.next().is_some_and(is_space) && chars.next() == Some('-') && rest[2..].starts_with("}}") {
            return Some(true);
        }
        rest.starts_with("}}").then_some(false)
    }

    fn action(&mut self) -> Result<(), String> {
        loop {
            if let Some(trims) = self.at_right() {
                if self.depth > 0 {
                    return Err("unclosed left paren".to_owned());
                }
                if trims {
                    self.at += 2;
                    self.skip();
                }
                self.at += 2;
                self.emit(Kind::Right);
                if trims {
                    self.take_while(is_space);
                    self.skip();
                }
                return Ok(());
            }
            let Some(c) = self.next() else { return Err("unclosed action".to_owned()) };
            match c {
                c if is_space(c) => {
                    while self.at_right().is_none() && self.peek().is_some_and(is_space) {
                        self.next();
                    }
                    self.emit(Kind::Space);
                }
                '=' => self.emit(Kind::Assign),
                ':' if self.accept("=") => self.emit(Kind::Declare),
                ':' => return Err("expected :=".to_owned()),
                '|' => self.emit(Kind::Pipe),
                '"' => self.quoted('"', "unterminated quoted string", Kind::Quoted)?,
                '\'' => self.quoted('\'', "unterminated character constant", Kind::CharConstant)?,
                '`' => {
                    self.take_while(|c| c != '`');
                    if self.next().is_none() {
                        return Err("unterminated raw quoted string".to_owned());
                    }
                    self.emit(Kind::Raw);
                }
                '$' => self.name(Kind::Variable)?,
                '.' if self.peek().is_some_and(|c| !c.is_ascii_digit()) => self.name(Kind::Field)?,
                '.' | '+' | '-' | '0'..='9' => {
                    self.at = self.start;
                    self.number()?;
                }
                c if is_word(c) => self.word()?,
                '(' => {
                    self.depth += 1;
                    self.emit(Kind::LeftParen);
                }
                ')' if self.depth == 0 => return Err("unexpected right paren".to_owned()),
                ')' => {
                    self.depth -= 1;
                    self.emit(Kind::RightParen);
                }
                c if c.is_ascii_graphic() => self.emit(Kind::Char),
                c => return Err(format!("unrecognized character in action: {}", unicode(c))),
            }
        }
    }

    fn quoted(&mut self, quote: char, error: &str, kind: Kind) -> Result<(), String> {
        loop {
            match self.next() {
                Some('\\') if self.peek().is_some_and(|c| c != '\n') => _ = self.next(),
                None | Some('\n' | '\\') => return Err(error.to_owned()),
                Some(c) if c == quote => break,
                Some(_) => {}
            }
        }
        self.emit(kind);
        Ok(())
    }

    fn is_terminated(&self) -> bool {
        self.peek().is_none_or(|c| is_space(c) || ".,|:)(".contains(c)) || self.rest().starts_with("}}")
    }

    fn name(&mut self, kind: Kind) -> Result<(), String> {
        if self.is_terminated() {
            self.emit(if kind == Kind::Field { Kind::Dot } else { kind });
            return Ok(());
        }
        self.take_while(is_word);
        self.terminated()?;
        self.emit(kind);
        Ok(())
    }

    fn terminated(&self) -> Result<(), String> {
        match self.peek() {
            Some(c) if !self.is_terminated() => Err(format!("bad character {}", unicode(c))),
            _ => Ok(()),
        }
    }

    fn word(&mut self) -> Result<(), String> {
        self.take_while(is_word);
        self.terminated()?;
        let kind = match &self.input[self.start..self.at] {
            "true" | "false" => Kind::Bool,
            "nil" => Kind::Nil,
            word if KEYWORDS.contains(&word) => Kind::Keyword,
            _ => Kind::Identifier,
        };
        self.emit(kind);
        Ok(())
    }

    fn number(&mut self) -> Result<(), String> {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.take_while(|c| digits.contains(c));
        if self.accept(".") {
            self.take_while(|c| digits.contains(c));
        }
        if digits.len() == 11 && self.accept("eE") {
            self.accept("+-");
            self.take_while(|c| "0123456789_".contains(c));
        }
        if self.peek().is_some_and(is_word) {
            self.next();
            return Err(format!(
                "bad number syntax: {}",
                super::super::describe::quote(&self.input[self.start..self.at])
            ));
        }
        self.emit(Kind::Number);
        Ok(())
    }
}

/// Whether what follows `{{` trims the text before it.
fn is_trim_left(after: &str) -> bool {
    after.strip_prefix('-').is_some_and(|rest| rest.starts_with(is_space))
}

/// `U+0040 '@'`, as Go prints a character with `%#U`.
pub(super) fn unicode(c: char) -> String {
    let shown = if c.is_control() { String::new() } else { format!(" '{c}'") };
    format!("U+{:04X}{shown}", u32::from(c))
}

impl Token<'_> {
    /// The token as messages show it.
    pub(super) fn shown(&self) -> String {
        let quote = super::super::describe::quote;
        match self.kind {
            Kind::End => "EOF".to_owned(),
            Kind::Error => self.error.clone(),
            Kind::Keyword => format!("<{}>", self.text),
            _ => match self.text.char_indices().nth(10) {
                Some((end, _)) if self.text.len() > 10 => format!("{}...", quote(&self.text[..end])),
                _ => quote(self.text),
            },
        }
    }
}
