//! Tokens into nodes.
//!
//! Source: Go `text/template/parse/parse.go`, whose messages these are.

use serde_json::Value;

use super::functions::FUNCTIONS;
use super::lex::{Kind, Token, tokens};

/// How deep parentheses and control structures may nest.
const MAX_DEPTH: usize = 64;

/// A part of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipe),
    If(Pipe, Vec<Node>, Vec<Node>),
    With(Pipe, Vec<Node>, Vec<Node>),
    Range(Pipe, Vec<Node>, Vec<Node>),
    Break,
    Continue,
}

/// Commands whose results are passed on, and the variables that take the last one.
#[derive(Clone, Debug)]
pub(super) struct Pipe {
    pub(super) variables: Vec<String>,
    pub(super) assigns: bool,
    pub(super) commands: Vec<Command>,
}

/// A function or value with arguments.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) words: Vec<Word>,
    pub(super) position: usize,
}

/// An operand and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) what: Operand,
    pub(super) position: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Operand {
    Dot,
    Nil,
    /// A constant, and how it is written.
    Constant(Value, String),
    /// `.a.b`
    Field(Vec<String>),
    /// `$x.a.b`: the name with its dollar, and the fields.
    Variable(String, Vec<String>),
    Function(String),
    Pipe(Box<Pipe>),
    /// Fields of what parentheses or a function give.
    Chain(Box<Word>, Vec<String>),
}

/// Parses a template; the error is Go's text without the place in front, with its line.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, (usize, String)> {
    let mut parser = Parser { tokens: tokens(text), at: 0, variables: vec!["$".to_owned()], depth: 0, ranges: 0 };
    parser.top().map_err(|error| {
        let last = parser.at.saturating_sub(1).min(parser.tokens.len() - 1);
        (parser.tokens[last].line, error)
    })
}

/// What ends a list of nodes.
enum Stop {
    End,
    Else,
    Eof,
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    variables: Vec<String>,
    depth: usize,
    ranges: usize,
}

type Parsed<T> = Result<T, String>;

impl<'a> Parser<'a> {
    fn peek(&self) -> &Token<'a> {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn skip_space(&mut self) -> &Token<'a> {
        while self.peek().kind == Kind::Space {
            self.at += 1;
        }
        self.peek()
    }

    fn next_word(&mut self) -> Token<'a> {
        self.skip_space();
        self.next()
    }

    fn unexpected<T>(&self, token: &Token<'_>, context: &str) -> Parsed<T> {
        match token.kind {
            Kind::Error => Err(token.error.clone()),
            _ => Err(format!("unexpected {} in {context}", token.shown())),
        }
    }

    fn expect_right(&mut self, context: &str) -> Parsed<()> {
        let token = self.next_word();
        if token.kind == Kind::Right { Ok(()) } else { self.unexpected(&token, context) }
    }

    fn top(&mut self) -> Parsed<Vec<Node>> {
        let (nodes, stop) = self.list()?;
        match stop {
            Stop::Eof => Ok(nodes),
            Stop::End => Err("unexpected {{end}}".to_owned()),
            Stop::Else => Err("unexpected {{else}}".to_owned()),
        }
    }

    fn list(&mut self) -> Parsed<(Vec<Node>, Stop)> {
        let mut nodes = Vec::new();
        loop {
            let token = self.next();
            match token.kind {
                Kind::End => return Ok((nodes, Stop::Eof)),
                Kind::Text => nodes.push(Node::Text(token.text.to_owned())),
                Kind::Left => match self.action()? {
                    Ok(node) => nodes.push(node),
                    Err(stop) => return Ok((nodes, stop)),
                },
                _ => return self.unexpected(&token, "input"),
            }
        }
    }

    fn action(&mut self) -> Parsed<Result<Node, Stop>> {
        let token = self.skip_space().clone();
        if token.kind != Kind::Keyword {
            return Ok(Ok(Node::Action(self.pipeline("command", Kind::Right)?)));
        }
        self.at += 1;
        match token.text {
            "if" | "with" | "range" => self.control(token.text).map(Ok),
            "end" => self.expect_right("end").map(|()| Err(Stop::End)),
            "else" => {
                let next = self.skip_space();
                if next.kind == Kind::Keyword && matches!(next.text, "if" | "with") {
                    return Ok(Err(Stop::Else));
                }
                self.expect_right("else").map(|()| Err(Stop::Else))
            }
            word @ ("break" | "continue") => {
                self.expect_right(&format!("{{{{{word}}}}}"))?;
                if self.ranges == 0 {
                    return Err(format!("{{{{{word}}}}} outside {{{{range}}}}"));
                }
                Ok(Ok(if word == "break" { Node::Break } else { Node::Continue }))
            }
            word => Err(format!("{{{{{word}}}}} is not supported here")),
        }
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            return Err("template nests too deeply".to_owned());
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn control(&mut self, word: &str) -> Parsed<Node> {
        self.nested(|parser| parser.control_inside(word))
    }

    fn control_inside(&mut self, word: &str) -> Parsed<Node> {
        let n_variables = self.variables.len();
        let is_range = word == "range";
        let pipe = self.pipeline(word, Kind::Right)?;
        self.ranges += usize::from(is_range);
        let (body, stop) = self.list()?;
        self.ranges -= usize::from(is_range);
        let mut otherwise = Vec::new();
        match stop {
            Stop::End => {}
            Stop::Eof => return Err("unexpected EOF".to_owned()),
            Stop::Else => {
                let next = self.skip_space().clone();
                if next.kind == Kind::Keyword && next.text == word && !is_range && self.follows_else() {
                    self.at += 1;
                    otherwise.push(self.control(word)?);
                } else if self.follows_else() {
                    return self.unexpected(&next, "input");
                } else {
                    let (nodes, stop) = self.list()?;
                    match stop {
                        Stop::End => otherwise = nodes,
                        Stop::Else => return Err("expected end; found {{else}}".to_owned()),
                        Stop::Eof => return Err("unexpected EOF".to_owned()),
                    }
                }
            }
        }
        self.variables.truncate(n_variables);
        Ok(match word {
            "if" => Node::If(pipe, body, otherwise),
            "with" => Node::With(pipe, body, otherwise),
            _ => Node::Range(pipe, body, otherwise),
        })
    }

    /// Whether the action of the `else` is still open: `{{else if ...}}`.
    fn follows_else(&self) -> bool {
        let before = self.tokens[..self.at].iter().rev().find(|token| token.kind != Kind::Space);
        before.is_some_and(|token| token.kind == Kind::Keyword && token.text == "else")
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        let mut pipe = Pipe { variables: Vec::new(), assigns: false, commands: Vec::new() };
        while self.skip_space().kind == Kind::Variable {
            let begin = self.at;
            let name = self.next().text.to_owned();
            let next = self.skip_space().clone();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    self.at += 1;
                    pipe.assigns = next.kind == Kind::Assign;
                    self.variables.push(name.clone());
                    pipe.variables.push(name);
                    break;
                }
                Kind::Char if next.text == "," => {
                    self.at += 1;
                    self.variables.push(name.clone());
                    pipe.variables.push(name);
                    if context != "range" || pipe.variables.len() > 1 {
                        return Err(format!("too many declarations in {context}"));
                    }
                    if !matches!(self.skip_space().kind, Kind::Variable | Kind::Right | Kind::RightParen) {
                        return Err("range can only initialize variables".to_owned());
                    }
                }
                _ => {
                    self.at = begin;
                    break;
                }
            }
        }
        loop {
            let token = self.next_word();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::Raw
                | Kind::Quoted
                | Kind::Variable
                | Kind::LeftParen => {
                    self.at -= 1;
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&token, context),
            }
        }
        if pipe.commands.is_empty() {
            return Err(format!("missing value for {context}"));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            if matches!(command.words[0].what, Operand::Constant(..) | Operand::Dot | Operand::Nil) {
                return Err(format!("non executable command in pipeline stage {}", index + 1));
            }
        }
        Ok(pipe)
    }

    fn command(&mut self) -> Parsed<Command> {
        let position = self.skip_space().position;
        let mut words = Vec::new();
        loop {
            self.skip_space();
            if let Some(word) = self.operand()? {
                words.push(word);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => {}
                Kind::Right | Kind::RightParen => {
                    self.at -= 1;
                    break;
                }
                Kind::Pipe => break,
                _ => return self.unexpected(&token, "operand"),
            }
        }
        if words.is_empty() {
            return Err("empty command".to_owned());
        }
        Ok(Command { words, position })
    }

    fn operand(&mut self) -> Parsed<Option<Word>> {
        let Some(mut word) = self.term()? else { return Ok(None) };
        if self.peek().kind != Kind::Field {
            return Ok(Some(word));
        }
        // A chain stands where its second field stands.
        let position = self.peek().position;
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            fields.push(self.next().text[1..].to_owned());
        }
        match &mut word.what {
            Operand::Field(own) | Operand::Variable(_, own) => own.extend(fields),
            Operand::Constant(..) | Operand::Nil | Operand::Dot => {
                let shown = super::super::describe::quote(&word.to_string());
                return Err(format!("unexpected . after term {shown}"));
            }
            Operand::Function(_) | Operand::Pipe(_) | Operand::Chain(..) => {
                word = Word { what: Operand::Chain(Box::new(word), fields), position };
            }
        }
        word.position = position;
        Ok(Some(word))
    }

    fn term(&mut self) -> Parsed<Option<Word>> {
        let token = self.next_word();
        let written = token.text.to_owned();
        let what = match token.kind {
            Kind::Identifier if FUNCTIONS.contains(&token.text) => Operand::Function(written),
            Kind::Identifier => return Err(format!("function \"{written}\" not defined")),
            Kind::Dot => Operand::Dot,
            Kind::Nil => Operand::Nil,
            Kind::Variable if self.variables.iter().any(|known| *known == token.text) => {
                Operand::Variable(written, Vec::new())
            }
            Kind::Variable => return Err(format!("undefined variable \"{written}\"")),
            Kind::Field => Operand::Field(vec![token.text[1..].to_owned()]),
            Kind::Bool => Operand::Constant((token.text == "true").into(), written),
            Kind::Number => match number(token.text) {
                Some(value) => Operand::Constant(value, written),
                None => return Err(format!("illegal number syntax: {}", super::super::describe::quote(token.text))),
            },
            Kind::CharConstant | Kind::Quoted => match (unquote(token.text), token.kind) {
                (Some(text), Kind::Quoted) => Operand::Constant(text.into(), written),
                (Some(text), _) if text.chars().count() == 1 => {
                    let code = text.chars().next().map_or(0, u32::from);
                    Operand::Constant(code.into(), written)
                }
                (_, Kind::Quoted) => return Err("invalid syntax".to_owned()),
                _ => return Err(format!("malformed character constant: {written}")),
            },
            Kind::Raw => {
                let text = token.text[1..token.text.len() - 1].replace('\r', "");
                Operand::Constant(text.into(), written)
            }
            Kind::LeftParen => {
                let pipe = self.nested(|parser| parser.pipeline("parenthesized pipeline", Kind::RightParen))?;
                Operand::Pipe(Box::new(pipe))
            }
            _ => {
                self.at -= 1;
                return Ok(None);
            }
        };
        Ok(Some(Word { what, position: token.position }))
    }
}

/// A number as Go's constants are written: decimal, hexadecimal, octal, binary, with underscores; a float.
fn number(text: &str) -> Option<Value> {
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let lower = digits.to_ascii_lowercase();
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find(|(prefix, _)| lower.starts_with(prefix));
    let octal = lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|byte| byte.is_ascii_digit());
    let integer = match radix {
        Some((_, radix)) => i64::from_str_radix(&format!("{sign}{}", &lower[2..]), radix).ok(),
        None if octal => i64::from_str_radix(&format!("{sign}{lower}"), 8).ok(),
        None => format!("{sign}{lower}").parse().ok(),
    };
    if let Some(integer) = integer {
        return Some(integer.into());
    }
    if !lower.bytes().all(|byte| byte.is_ascii_digit() || b".e+-".contains(&byte)) || octal {
        return None;
    }
    let float: f64 = format!("{sign}{lower}").parse().ok()?;
    serde_json::Number::from_f64(float).map(Value::Number)
}

/// Go's `strconv.Unquote` of a string or character constant.
fn unquote(text: &str) -> Option<String> {
    let inside = &text[1..text.len() - 1];
    let mut out = Vec::new();
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escape = chars.next()?;
        let mut code = |n_digits: usize, radix: u32, first: &str| -> Option<u32> {
            let digits: String = first.chars().chain(chars.by_ref().take(n_digits)).collect();
            (digits.len() == n_digits + first.len()).then(|| u32::from_str_radix(&digits, radix).ok())?
        };
        match escape {
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'v' => out.push(11),
            '\\' => out.push(b'\\'),
            quote @ ('\'' | '"') if text.starts_with(quote) => out.push(quote as u8),
            'x' => out.push(u8::try_from(code(2, 16, "")?).ok()?),
            '0'..='7' => out.push(u8::try_from(code(2, 8, &escape.to_string())?).ok()?),
            'u' | 'U' => {
                let c = char::from_u32(code(if escape == 'u' { 4 } else { 8 }, 16, "")?)?;
                out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dotted = |fields: &[String]| fields.iter().map(|field| format!(".{field}")).collect::<String>();
        match &self.what {
            Operand::Dot => f.write_str("."),
            Operand::Nil => f.write_str("nil"),
            Operand::Constant(_, written) | Operand::Function(written) => f.write_str(written),
            Operand::Field(fields) => f.write_str(&dotted(fields)),
            Operand::Variable(name, fields) => write!(f, "{name}{}", dotted(fields)),
            Operand::Pipe(pipe) => write!(f, "({pipe})"),
            Operand::Chain(word, fields) => write!(f, "{word}{}", dotted(fields)),
        }
    }
}

impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<String> = self.words.iter().map(Word::to_string).collect();
        f.write_str(&words.join(" "))
    }
}

impl std::fmt::Display for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.variables.is_empty() {
            let sign = if self.assigns { "=" } else { ":=" };
            write!(f, "{} {sign} ", self.variables.join(", "))?;
        }
        let commands: Vec<String> = self.commands.iter().map(Command::to_string).collect();
        f.write_str(&commands.join(" | "))
    }
}
