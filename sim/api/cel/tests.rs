//! Expressions and what they give.

use serde_json::json;

use super::*;

fn answer(text: &str) -> String {
    let object = json!({
        "metadata": { "name": "web", "labels": { "app": "web" } },
        "spec": { "replicas": 3, "paused": null, "ports": [80, 443], "memory": "1Gi",
            "containers": [{ "name": "a", "image": "reg.io/x:1" }, { "name": "b", "image": "y" }] },
    });
    let object = Value::from_json(&object);
    match Program::compile(text, &["object"])
        .and_then(|program| program.evaluate(&Variables::new(&[("object", object)])))
    {
        Ok(Value::List(items)) => format!("[{}]", items.iter().map(strings::display).collect::<Vec<_>>().join(", ")),
        Ok(Value::Optional(inner)) => {
            inner.map_or("none".to_owned(), |value| format!("some {}", strings::display(&value)))
        }
        Ok(value) => strings::display(&value),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn expressions_give_what_the_language_says() {
    for (text, expected) in [
        ("1 + 2 * 3 - 4 / 2", "5"),
        ("-5 % 3", "-2"),
        ("(1 < 2) == true && !(2 <= 1)", "true"),
        ("9223372036854775807 + 1", "error: integer overflow"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("1 / 0", "error: division by zero"),
        ("1u + 2u", "3"),
        ("1.5 + 1.5", "3"),
        ("1 == 1.0 && 1u == 1", "true"),
        ("'a' + \"b\" + r'\\n' + '\\u00e9'", "ab\\né"),
        ("b'ab' == bytes('ab')", "true"),
        ("object.spec.replicas <= 5", "true"),
        ("object.spec.minReady", "error: no such key: minReady"),
        ("has(object.spec.replicas) && !has(object.spec.minReady) && !has(object.spec.paused)", "true"),
        ("object.spec.ports[1]", "443"),
        ("object.spec.ports[2]", "error: index out of bounds: 2"),
        ("object.metadata['name']", "web"),
        ("object.?spec.minReady.orValue(7)", "7"),
        ("object.spec.?replicas", "some 3"),
        ("object.spec.ports[?5]", "none"),
        ("optional.of(3).optMap(x, x + 1)", "some 4"),
        ("optional.none().hasValue()", "false"),
        ("[1, ?object.spec.?replicas, ?optional.none()]", "[1, 3]"),
        ("object.spec.containers.all(c, c.name.size() == 1)", "true"),
        ("object.spec.containers.exists(c, c.image.startsWith('reg.io/'))", "true"),
        ("object.spec.containers.exists_one(c, c.name == 'a')", "true"),
        ("object.spec.containers.map(c, c.name)", "[a, b]"),
        ("object.spec.containers.filter(c, c.name != 'a').map(c, c.image)", "[y]"),
        ("object.spec.ports.map(p, p > 100, p + 1)", "[444]"),
        ("[1, 2].exists(i, i / 0 == 1 || i == 2)", "true"),
        ("[1, 2].all(i, i / 0 == 1)", "error: division by zero"),
        ("false && 1 / 0 == 1", "false"),
        ("1 / 0 == 1 && false", "false"),
        ("1 / 0 == 1 || true", "true"),
        ("true ? 'a' : 1 / 0 == 1 ? 'b' : 'c'", "a"),
        ("{'a': 1, 'b': 2}.all(k, k in ['a', 'b'])", "true"),
        ("{'a': 1}.transformList(k, v, k + string(v))", "[a1]"),
        ("{'a': 1, 'a': 2}", "error: Failed with repeated key: a"),
        ("'a' in {'a': 1} && 2 in [1, 2] && !('b' in {'a': 1})", "true"),
        ("size('é') + size([1, 2]) + size({'a': 1})", "4"),
        ("'hello world'.split(' ').join('-')", "hello-world"),
        ("'hello'.substring(1, 3) + 'hello'.charAt(4)", "elo"),
        ("'hello'.indexOf('l') * 10 + 'hello'.lastIndexOf('l')", "23"),
        ("'  x '.trim().upperAscii().replace('X', 'yy')", "yy"),
        ("'a1b22'.find('[0-9]+') + '/' + 'a1b22'.findAll('[0-9]+').join(',')", "1/1,22"),
        ("'abc'.matches('^a.c$')", "true"),
        ("'abc'.matches('(')", "error: error parsing regexp: ("),
        (
            "'%s has %d of %.2f %x %s'.format(['web', 3, 1.5, 255, [1, {'a': true}]])",
            "web has 3 of 1.50 ff [1, {a: true}]",
        ),
        ("[3, 1, 2].min() + [3, 1, 2].max() + [3, 1, 2].sum()", "10"),
        ("[1, 2, 2].isSorted() && [1, 2, 1].lastIndexOf(1) == 2", "true"),
        ("sets.contains([1, 2], [2]) && sets.equivalent([1, 2], [2, 1]) && !sets.intersects([1], [2])", "true"),
        ("quantity(object.spec.memory).isGreaterThan(quantity('500Mi'))", "true"),
        ("quantity('1.5Gi').add(quantity('512Mi')).compareTo(quantity('2Gi'))", "0"),
        ("isQuantity('1x') || quantity('50k').asInteger() != 50000", "false"),
        ("semver('1.2.3-rc.1').isLessThan(semver('1.2.3')) && semver('v1.2', true).minor() == 2", "true"),
        ("cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsCIDR('10.0.0.0/7')", "true"),
        ("ip('127.0.0.1').isLoopback() && ip('::1').family() == 6 && !isIP('1.2.3.256')", "true"),
        ("string(cidr('10.1.2.3/16').masked())", "10.1.0.0/16"),
        ("url('https://example.com:80/p%20q?a=1&a=2').getPort() + url('https://u@[::1]/').getHostname()", "80::1"),
        ("url('https://example.com/?a=1&a=2').getQuery()['a']", "[1, 2]"),
        ("isURL('../x') || !isURL('/x')", "false"),
        ("!format.dns1123Label().validate('Web').hasValue()", "false"),
        ("format.named('dns1123Label').value().validate('web').hasValue()", "false"),
        ("duration('1h30m') > duration('89m') && string(duration('1.5s')) == '1.5s'", "true"),
        ("timestamp('2026-01-02T03:04:05Z').getFullYear()", "2026"),
        ("timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z') == duration('24h')", "true"),
        ("type(1) == int && type('a') == string && int('42') + int(2.9) == 44", "true"),
        ("dyn(1) == 'a'", "false"),
        ("1 + 'a'", "error: no such overload"),
        (
            "object.nope()",
            "error: compilation failed: ERROR: <input>:1:12: undeclared reference to 'nope' (in container '')\n | object.nope()\n | ...........^",
        ),
        (
            "nobody",
            "error: compilation failed: ERROR: <input>:1:1: undeclared reference to 'nobody' (in container '')\n | nobody\n | ^",
        ),
        (
            "1 +",
            "error: compilation failed: ERROR: <input>:1:3: Syntax error: mismatched input '<EOF>'\n | 1 +\n | ..^",
        ),
        (
            "'x'.size(1)",
            "error: compilation failed: ERROR: <input>:1:9: found no matching overload for 'size'\n | 'x'.size(1)\n | ........^",
        ),
    ] {
        assert_eq!(answer(text), expected, "{text}");
    }
}

#[test]
fn nothing_runs_away() {
    let nested = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
    let lists = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let members = format!("object{}", ".a".repeat(50_000));
    let many = "1".to_owned() + &"+1".repeat(20_000);
    let signs = "!".repeat(50_000) + "true";
    for text in [&nested, &lists, &members, &many, &signs, &"'".repeat(9), &"1".repeat(100_001)] {
        assert!(Program::compile(text, &["object"]).is_err());
    }
    let wide = vec!["true"; 2000].join(" && ");
    assert_eq!(answer(&wide), "true", "a long chain is no deep tree");
    let l = "[1,2,3,4,5,6,7,8,9,10]";
    let cube = format!("{l}.all(a, {l}.all(b, {l}.all(c, {l}.all(d, {l}.all(e, {l}.all(f, {l}.all(g, true)))))))");
    let wide = format!("{l}.map(g, '{}')", "x".repeat(1000));
    let grows = ["a", "b", "c", "d", "e"].iter().fold(wide, |inner, name| format!("{l}.map({name}, {inner})"));
    for text in [&cube, &grows] {
        assert_eq!(answer(text), "error: operation cancelled: actual cost limit exceeded");
    }
}

#[test]
fn a_failed_variable_fails_those_who_use_it() {
    let mut variables = Variables::default();
    variables.set("variables.bad", Err(CelError::new("boom")));
    variables.set("variables.good", Ok(Value::Int(3)));
    let names = ["variables.bad", "variables.good"];
    let run = |text: &str| Program::compile(text, &names).and_then(|program| program.test(&variables));
    assert_eq!(run("variables.good == 3"), Ok(true));
    assert_eq!(run("variables.bad == 3").map_err(|error| error.text), Err("boom".to_owned()));
    assert_eq!(run("variables.good == 3 || variables.bad == 3"), Ok(true));
    assert!(run("variables.none == 3").is_err());
}
