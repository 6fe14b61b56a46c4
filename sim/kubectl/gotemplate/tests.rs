//! Tables of templates.

use serde_json::json;

use super::GoTemplate;

fn run(template: &str) -> String {
    let value = json!({
        "kind": "List", "n": 3, "f": 1.5, "flag": true, "nothing": null, "text": "a<b", "secret": "aGVsbG8=",
        "labels": {"app": "web", "zone": "a"},
        "items": [
            {"metadata": {"name": "a", "labels": {"x.y/z": "1"}}, "n": 1},
            {"metadata": {"name": "b"}, "n": 2},
        ],
        "empty": [],
    });
    match GoTemplate::parse(template) {
        Ok(parsed) => match parsed.execute(&value, true) {
            (text, None) => text,
            (text, Some(error)) => format!("{text}|{error}"),
        },
        Err(error) => error,
    }
}

#[test]
fn templates_fill_in_what_go_fills_in() {
    let table = [
        ("kind is {{.kind}}", "kind is List"),
        ("{{range .items}}{{.metadata.name}} {{end}}", "a b "),
        ("{{range $i, $e := .items}}{{$i}}={{$e.metadata.name}},{{end}}", "0=a,1=b,"),
        ("{{range $k, $v := .labels}}{{$k}}:{{$v}};{{end}}", "app:web;zone:a;"),
        ("{{range .empty}}x{{else}}none{{end}}", "none"),
        ("{{range .items}}{{if eq .n 2}}{{break}}{{end}}{{.n}}{{end}}", "1"),
        ("{{range .items}}{{if eq .n 1}}{{continue}}{{end}}{{.n}}{{end}}", "2"),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ("{{.missing}} {{.missing.deeper}} {{.nothing}}", "<no value> <no value> <no value>"),
        ("{{.labels}} {{.empty}} {{.f}}", "map[app:web zone:a] [] 1.5"),
        ("{{with .labels}}{{.app}}{{end}}{{with .missing}}x{{else}}y{{end}}", "weby"),
        ("{{if and .flag (gt .n 2)}}yes{{else if .flag}}maybe{{else}}no{{end}}", "yes"),
        ("{{if not .flag}}a{{else if eq .n 3}}b{{else}}c{{end}}", "b"),
        ("{{index .labels \"app\"}} {{index .items 1 \"metadata\" \"name\"}}", "web b"),
        ("{{index .labels \"no\"}}", "<no value>"),
        ("{{(index .items 0).metadata.name}}", "a"),
        ("{{len .items}} {{len .kind}} {{.items | len}}", "2 4 2"),
        (
            "{{printf \"%s-%03d|%-5s|%5.2f|%q|%v|%t\" .kind .n \"x\" .f .text .labels .flag}}",
            "List-003|x    | 1.50|\"a<b\"|map[app:web zone:a]|true",
        ),
        ("{{printf \"%d %s\" .kind}}", "%!d(string=List) %!s(MISSING)"),
        ("{{printf \"%s\" .kind .n}}", "List%!(EXTRA int64=3)"),
        ("{{print .n .n .kind}}{{println .n \"x\"}}", "3 3List3 x\n"),
        ("{{.secret | base64decode}}", "hello"),
        (
            "{{base64decode \"a\"}}",
            "|template: output:1:2: executing \"output\" at <base64decode \"a\">: error calling base64decode: base64 decode failed: illegal base64 data at input byte 0",
        ),
        ("{{$x := .n}}{{if true}}{{$x = 5}}{{end}}{{$x}}", "5"),
        ("{{$.kind}}{{range .items}}{{$.kind}}{{end}}", "ListListList"),
        ("a {{- \" b \" -}} c{{/* nothing */}}!", "a b c!"),
        ("{{html .text}} {{js \"'\"}} {{urlquery \"a b&c\"}}", "a&lt;b \\' a+b%26c"),
        ("{{or .missing .kind}} {{and .kind .n}}", "List 3"),
        (
            "{{eq .kind \"List\" }} {{ne .n 3}} {{lt 1 2}} {{le 2 2}} {{ge \"b\" \"a\"}} {{eq .n 1 2 3}}",
            "true false true true true true",
        ),
        ("{{exists .labels \"app\"}} {{exists .items 7}} {{exists .labels \"q\" \"r\"}}", "true false false"),
        ("{{slice .kind 1 3}} {{`raw\\n`}} {{'a'}} {{0x10}} {{1e3}} {{true}}", "is raw\\n 97 16 1000 true"),
    ];
    for (template, expected) in table {
        assert_eq!(run(template), expected, "{template}");
    }
}

#[test]
fn errors_are_in_the_words_of_go() {
    let at = |place: &str, node: &str, what: &str| {
        format!("|template: output:{place}: executing \"output\" at <{node}>: {what}")
    };
    let table = [
        ("{{foo .x}}", "template: output:1: function \"foo\" not defined".to_owned()),
        ("{{.x", "template: output:1: unclosed action".to_owned()),
        ("{{range .items}}", "template: output:1: unexpected EOF".to_owned()),
        ("{{end}}", "template: output:1: unexpected {{end}}".to_owned()),
        ("{{}}", "template: output:1: missing value for command".to_owned()),
        ("{{$x}}", "template: output:1: undefined variable \"$x\"".to_owned()),
        ("{{.a}b}}", "template: output:1: bad character U+007D '}'".to_owned()),
        ("{{\"a}}", "template: output:1: unterminated quoted string".to_owned()),
        ("{{.n | 3}}", "template: output:1: non executable command in pipeline stage 2".to_owned()),
        ("{{.kind.x}}", at("1:7", ".kind.x", "can't evaluate field x in type interface {}")),
        ("{{.nothing.x}}", at("1:10", ".nothing.x", "nil pointer evaluating interface {}.x")),
        ("{{with .kind}}{{.x}}{{end}}", at("1:16", ".x", "can't evaluate field x in type string")),
        (
            "\n{{index .items 2}}",
            format!("\n{}", at("2:2", "index .items 2", "error calling index: reflect: slice index out of range")),
        ),
        ("{{index .items 9}}", at("1:2", "index .items 9", "error calling index: index out of range: 9")),
        ("{{index .missing 1}}", at("1:2", "index .missing 1", "error calling index: index of untyped nil")),
        (
            "{{len .missing}}",
            at("1:2", "len .missing", "error calling len: reflect: call of reflect.Value.Type on zero Value"),
        ),
        ("{{len 3}}", at("1:2", "len 3", "error calling len: len of type int")),
        ("{{lt .n .kind}}", at("1:2", "lt .n .kind", "error calling lt: incompatible types for comparison")),
        ("{{range .kind}}{{end}}", at("1:8", ".kind", "range can't iterate over List")),
        ("{{.kind 1}}", at("1:2", ".kind", "kind is not a method but has arguments")),
        ("{{len}}", at("1:2", "len", "wrong number of args for len: want 1 got 0")),
        ("{{printf .n}}", at("1:9", ".n", "wrong type for value; expected string; got int64")),
        ("{{nil}}", at("1:2", "nil", "nil is not a command")),
    ];
    for (template, expected) in table {
        assert_eq!(run(template), expected, "{template}");
    }
}

#[test]
fn missing_keys_are_errors_when_they_may_not_be_missing() {
    let template = GoTemplate::parse("{{.a}}").unwrap();
    let (_, error) = template.execute(&json!({}), false);
    assert!(error.unwrap().ends_with("map has no entry for key \"a\""));
}

#[test]
fn what_is_too_much_is_refused() {
    assert!(GoTemplate::parse(&format!("{{{{{}1{}}}}}", "(".repeat(500), ")".repeat(500))).is_err());
    assert!(GoTemplate::parse(&"{{if 1}}".repeat(5000)).is_err());
    let endless = GoTemplate::parse("{{range 1000000}}{{range 1000000}}x{{end}}{{end}}").unwrap();
    assert!(endless.execute(&json!({}), true).1.is_some());
}

proptest::proptest! {
    #[test]
    fn no_template_panics(template in "[a-z{}.$|()\"`:=\\- 0-9\n'%]{0,40}", word in "(\\{\\{|\\}\\}|range |if |end|index |\\.a |len |\\$x := ){0,10}") {
        for text in [&template, &word, &format!("{{{{{word}{template}}}}}")] {
            if let Ok(parsed) = GoTemplate::parse(text) {
                let _ = parsed.execute(&json!({"a": [1, "x", {"b": null}]}), true);
            }
        }
    }
}
