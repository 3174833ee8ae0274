//! Behaviours of the room as a whole. `cases.txt` holds expressions and what ansible-core makes of them.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use crate::secret::Secret;
use crate::source::{Diagnostic, SourceFile};
use crate::vars::templar::{FileOptions, Options, Templar, from_json, is_omit, to_json};
use crate::vars::{Scope, Value, Var, VarMap, python};
use crate::vault::{Key, Keyring, seal};
use crate::yaml::{self, Kind, Node};

fn parse(text: &str) -> Node {
    yaml::parse(&SourceFile::new("play.yml", text)).expect("test input is YAML")
}

/// Variables from YAML.
fn scope(vars: &str) -> Scope {
    let mut map = VarMap::new();
    if let Kind::Map(entries) = parse(vars).kind {
        for (key, value) in entries {
            map.insert(
                key.as_str().expect("names are texts").to_owned(),
                Var::Source(Arc::new(value)),
            );
        }
    }
    let mut scope = Scope::new();
    scope.push(Arc::new(map));
    scope
}

fn with_data(scope: &Scope, name: &str, value: Value) -> Scope {
    scope.with(Arc::new(VarMap::from([(name.to_owned(), Var::Data(value))])))
}

/// A template as it would stand in quotes in a playbook.
fn text_node(text: &str) -> Node {
    let file = SourceFile::new("play.yml", text);
    Node::text(text, &crate::source::Span::new(&file, 1, 1))
}

fn render(text: &str, vars: &str) -> Result<Value, Diagnostic> {
    Templar::new().render(&text_node(text), &scope(vars))
}

fn shown(text: &str, vars: &str) -> String {
    match render(text, vars) {
        Ok(value) => python::repr(&value).expect("finished values have a text"),
        Err(diagnostic) => format!("error: {}", diagnostic.message),
    }
}

fn condition(text: &str, vars: &str) -> Result<bool, String> {
    let answer = Templar::new().condition(&text_node(text), &scope(vars));
    answer.map_err(|diagnostic| diagnostic.message)
}

const VARS: &str = r#"
s: Hello World
n: 5
f: 2.5
l: [3, 1, 2]
d: {b: 1, a: {x: [1, 2]}}
none: null
ppl: [{n: ann, a: 3, t: [x, y]}, {n: Bob, a: 1, t: []}, {n: cid, a: 3, t: [z], o: {k: 1}}]
multi: "l1\nl2\n\nl4"
e: ""
yes_s: "yes"
u: "h\u00e9\u00e9\u2603"
"#;

#[test]
fn expressions_come_to_what_ansible_makes_of_them() {
    let scope = scope(VARS);
    let templar = Templar::new();
    let mut wrong = Vec::new();
    for line in include_str!("cases.txt").lines() {
        let (template, expected) = line.split_once(" => ").expect("`template => result`");
        let got = match templar.render(&text_node(template), &scope) {
            Ok(value) => python::repr(&value).expect("finished values have a text"),
            Err(diagnostic) => format!("error: {}", diagnostic.message),
        };
        if got != expected {
            wrong.push(format!("{template}\n  expected {expected}\n  got      {got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn yaml_text_is_that_of_libyaml() {
    for (vars, filter, expected) in [
        (
            "x: {b: [1, {c: d, e: null}], a: 'yes'}",
            "to_nice_yaml",
            "a: 'yes'\nb:\n- 1\n-   c: d\n    e: null\n",
        ),
        (
            "x: {b: [1, {c: d, e: null}], a: 'yes'}",
            "to_nice_yaml(indent=2)",
            "a: 'yes'\nb:\n- 1\n- c: d\n  e: null\n",
        ),
        ("x: {k: [a, b], m: {z: 1}}", "to_yaml", "k: [a, b]\nm: {z: 1}\n"),
        (
            "x: {m: \"two\\n\\nlines\\n\"}",
            "to_nice_yaml",
            "m: 'two\n\n\n    lines\n\n    '\n",
        ),
        (
            "x: [\"tab\\there\", \" lead\", \"a: b\", \"#c\", \"\", \"1e3\", \"0x1f\", \"2024-01-02\"]",
            "to_nice_yaml",
            "- \"tab\\there\"\n- ' lead'\n- 'a: b'\n- '#c'\n- ''\n- 1e3\n- '0x1f'\n- '2024-01-02'\n",
        ),
        (
            "x: [1.0, 1.0e+20, .inf, true, ~]",
            "to_yaml",
            "[1.0, 1.0e+20, .inf, true, null]\n",
        ),
        ("x: {z: 1, a: 2}", "to_nice_yaml(sort_keys=false)", "z: 1\na: 2\n"),
        ("x: [[], {}]", "to_nice_yaml(explicit_start=true)", "---\n- []\n- {}\n"),
    ] {
        let got = render(&format!("{{{{ x | {filter} }}}}"), vars).expect("writable");
        assert_eq!(got.as_str(), Some(expected), "{vars} | {filter}");
    }
}

#[test]
fn a_variable_is_rendered_when_it_is_used_and_only_what_is_used() {
    let vars = "
base: /srv/{{ app }}
app: '{{ name }}-{{ suffix | default(\"dev\") }}'
name: web
tree: {root: '{{ base }}', logs: '{{ tree.root }}/log', bad: '{{ not_there }}'}
bad_list: ['{{ not_there }}', ok]
";
    assert_eq!(shown("{{ tree.logs }}", vars), "'/srv/web-dev/log'");
    assert_eq!(shown("{{ bad_list[1] }}", vars), "'ok'");
    assert_eq!(shown("{{ bad_list[0] | default('none') }}", vars), "'none'");
    assert_eq!(shown("{{ tree.keys() | list }}", vars), "['root', 'logs', 'bad']");
    assert_eq!(shown("{{ tree }}", vars), "error: 'not_there' is undefined");
    let stronger = with_data(&scope(vars), "suffix", Value::from("prod"));
    let value = Templar::new().variable("base", &stronger).expect("renders");
    assert_eq!(value, Some(Value::from("/srv/web-prod")));
}

#[test]
fn lists_and_mappings_can_be_changed_inside_a_template_only() {
    let scope = with_data(
        &scope("own: [1]\nd: {a: [1]}"),
        "given",
        from_json(&serde_json::json!([1])),
    );
    let templar = Templar::new();
    for (template, expected) in [
        ("{% set _ = own.append(2) %}{{ own }}", "[1, 2]"),
        ("{{ given.append(2) }}{{ given }}", "[1, 2]"),
        (
            "{% set x = [] %}{% for i in own %}{% set _ = x.append(i * 3) %}{% endfor %}{{ x }}",
            "[3]",
        ),
        ("{% set _ = d.update({'b': 2}) %}{{ d }}", "{'a': [1], 'b': 2}"),
        ("{% set _ = d.a.append(2) %}{{ d.a }}", "[1, 2]"),
        ("{{ own }}{{ given }}{{ d }}", "\"[1][1]{'a': [1]}\""),
    ] {
        let value = templar.render(&text_node(template), &scope).expect("renders");
        assert_eq!(python::repr(&value).expect("text"), expected, "{template}");
    }
}

#[test]
fn r37_what_hosts_said_is_never_a_template() {
    let said = from_json(&serde_json::json!({
        "stdout": "{{ 7 * 7 }}", "lines": ["{% raw %}", "{{ lookup('pipe', 'id') }}"], "{{ k }}": 1
    }));
    let scope = with_data(&scope("copy: '{{ r.stdout }}'\nlist: ['{{ r.lines[1] }}']"), "r", said);
    let templar = Templar::new();
    for (template, expected) in [
        ("{{ r.stdout }}", "'{{ 7 * 7 }}'"),
        ("{{ copy }}", "'{{ 7 * 7 }}'"),
        ("<{{ copy }}>", "'<{{ 7 * 7 }}>'"),
        ("{{ list }}", "[\"{{ lookup('pipe', 'id') }}\"]"),
        ("{{ r.lines | map('upper') | first }}", "'{% RAW %}'"),
        ("{{ r | dict2items | map(attribute='key') | last }}", "'{{ k }}'"),
        (
            "{% for line in r.lines %}{{ line }};{% endfor %}",
            "\"{% raw %};{{ lookup('pipe', 'id') }};\"",
        ),
        ("{{ lookup('vars', 'copy') }}", "'{{ 7 * 7 }}'"),
        ("{{ r.stdout ~ '' }}", "'{{ 7 * 7 }}'"),
        ("{{ [r.stdout] | join }}", "'{{ 7 * 7 }}'"),
    ] {
        let value = templar.render(&text_node(template), &scope).expect("renders");
        assert_eq!(python::repr(&value).expect("text"), expected, "{template}");
    }
    // Nor is it ever a condition.
    let scope = with_data(&scope, "word", Value::from("true or false"));
    let refused = templar
        .condition(&text_node("{{ word }}"), &scope)
        .expect_err("text is no boolean");
    assert!(refused.message.contains("type 'str'"), "{}", refused.message);
    let equal = templar.condition(&text_node("r.stdout == '{' ~ '{ 7 * 7 }' ~ '}'"), &scope);
    assert!(equal.expect("comparable"));
}

#[test]
fn what_is_undefined_is_an_error_that_names_it() {
    for (template, message) in [
        ("{{ nope }}", "'nope' is undefined"),
        ("a{{ nope }}b", "'nope' is undefined"),
        ("{{ nope.a.b }}", "'nope' is undefined"),
        ("{{ d.a.q }}", "object of type 'dict' has no attribute 'q'"),
        ("{{ l[9] }}", "object of type 'list' has no attribute 9"),
        ("{{ nope == 1 }}", "'nope' is undefined"),
        ("{{ 1 in nope }}", "'nope' is undefined"),
        ("{{ nope ~ 'x' }}", "'nope' is undefined"),
        ("{{ not nope }}", "'nope' is undefined"),
        ("{% if nope %}{% endif %}", "'nope' is undefined"),
        ("{% for i in nope %}{% endfor %}", "'nope' is undefined"),
        ("{{ nope() }}", "'nope' is undefined"),
        ("{{ [1, nope] | sum }}", "'nope' is undefined"),
        ("{{ [nope] | join(',') }}", "'nope' is undefined"),
        ("{{ {'a': nope} | to_json }}", "'nope' is undefined"),
        ("{{ '%s' % nope }}", "'nope' is undefined"),
        ("{{ s[nope:] }}", "'nope' is undefined"),
        ("{{ undef('say x') }}", "say x"),
    ] {
        assert_eq!(shown(template, VARS), format!("error: {message}"), "{template}");
    }
}

#[test]
fn mistakes_say_what_to_do() {
    for (template, message, help) in [
        ("{{ 'x' | upcase }}", "no filter named `upcase`", ""),
        ("{{ 'x' | uper }}", "no filter named `uper`", "did you mean `upper`?"),
        (
            "{{ 'x' | json_query('a') }}",
            "filter `json_query` is not offered",
            "selectattr",
        ),
        (
            "{{ 'x' is definde }}",
            "no test named `definde`",
            "did you mean `defined`?",
        ),
        (
            "{{ 'x' | regex_replace('x', 'y', ignore_case=true) }}",
            "unexpected argument 'ignore_case'",
            "`ignorecase`",
        ),
        (
            "{{ lookup('fil', 'x') }}",
            "lookup plugin `fil` not found",
            "did you mean `file`?",
        ),
        (
            "{{ '10' > 5 }}",
            "'>' not supported between instances of 'str' and 'int'",
            "| int",
        ),
        (
            "{{ 'a' + 1 }}",
            "unsupported operand type(s) for +: 'str' and 'int'",
            "~",
        ),
        (
            "{{ 'x' | from_json }}",
            "the filter 'from_json' failed: not valid JSON",
            "",
        ),
        ("{{ x", "unexpected end of template", "close it with `}}`"),
        ("{% if %}x{% endif %}", "expected an expression", ""),
        ("{% for i in [1] %}x", "`endfor` is missing", ""),
        ("{% endif %}", "unknown tag `endif`", ""),
        ("{{ (1, 2 }}", "unexpected `}`, expected `)`", ""),
        ("{{ 'abc }}", "a text in quotes is not closed", ""),
        ("{{ 1/0 }}", "division by zero", ""),
        ("{{ 'a' | regex_search('(') }}", "bad regular expression '('", ""),
    ] {
        let diagnostic = render(template, "").expect_err(template);
        assert!(
            diagnostic.message.contains(message),
            "{template}: {}",
            diagnostic.message
        );
        let said = diagnostic.help.unwrap_or_default();
        assert!(said.contains(help), "{template}: help is {said:?}");
    }
}

#[test]
fn mistakes_in_the_files_are_found_without_variables_and_have_a_place() {
    let node = parse(
        "- a: \"{{ x | nofilter }}\"\n- b: |\n    line one\n    {{ y |\n      upper }}\n    {{ z is notest }}\n- !unsafe '{{ x | nofilter'\n",
    );
    let templar = Templar::new();
    let error = templar.check(&node).expect_err("unknown filter");
    assert_eq!(error.at.map(|at| (at.line, at.column)), Some((1, 6)));
    let Some([_, second, third]) = node.as_list() else {
        panic!("three items");
    };
    let error = templar.check(second).expect_err("unknown test");
    assert_eq!(error.at.map(|at| (at.line, at.column)), Some((6, 5)));
    assert!(templar.check(third).is_ok(), "text marked unsafe is not looked at");
    assert!(
        templar
            .check_condition(&text_node("x is defined and (y | length"))
            .is_err()
    );
    assert!(
        templar
            .check_condition(&text_node("x is defined and y | length > 0"))
            .is_ok()
    );
    assert!(templar.check_condition(&parse("true")).is_ok());
    // The innermost place counts: that of the variable with the mistake.
    let vars = scope("ok: 1\nbad: '{{ nope }}'\n");
    let error = templar.render(&text_node("{{ bad }}"), &vars).expect_err("undefined");
    assert_eq!(error.at.map(|at| at.line), Some(2));
}

#[test]
fn nothing_a_template_does_ends_the_program() {
    let deep =
        |open: &str, close: &str, count: usize| format!("{{{{ {}1{} }}}}", open.repeat(count), close.repeat(count));
    let mut templates = vec![
        deep("(", ")", 10_000),
        deep("[", "]", 10_000),
        deep("-", "", 10_000),
        deep("not ", "", 10_000),
        format!("{{{{ {} }}}}", "(".repeat(10_000)),
        format!("{{{{ 1{} }}}}", "+1".repeat(50_000)),
        format!("{{{{ x{} }}}}", ".a".repeat(50_000)),
        format!("{{{{ 'x'{} }}}}", "|upper".repeat(50_000)),
        format!("{{{{ 1{} }}}}", " if 1 else 2".repeat(5_000)),
        "{% if true %}".repeat(5_000),
        "{% for i in range(9999999999) %}x{% endfor %}".to_owned(),
        "{% for i in range(3000) %}{% for j in range(3000) %}{% for k in range(3000) %}{% endfor %}{% endfor %}{% endfor %}".to_owned(),
        "{{ range(10**12) | list | length }}".to_owned(),
        "{{ 'x' * 10**10 }}".to_owned(),
        "{{ [0] * 10**10 }}".to_owned(),
        "{{ 10 ** 10 ** 10 }}".to_owned(),
        "{{ '%999999999d' % 1 }}".to_owned(),
        "{{ '{:>999999999}'.format(1) }}".to_owned(),
        "{{ 'x' | center(10**9) }}".to_owned(),
        "{{ 'x'.ljust(10**9) }}".to_owned(),
        "{{ 'a' | indent(10**9) }}".to_owned(),
        "{{ range(30) | permutations(20) }}".to_owned(),
        "{{ range(1000) | product(range(1000), range(1000)) }}".to_owned(),
        "{{ ('a' * 40) | regex_search('(a+)+$x(?=y)') | default('no', true) ~ ('a' * 40 ~ '!') | regex_search('^(a|a)*(?=b)c') }}".to_owned(),
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
        "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}".to_owned(),
        "{% set x = [] %}{% set _ = x.append(x) %}{{ x }}".to_owned(),
        "{% set x = {} %}{% set _ = x.update({'x': x}) %}{{ x | to_json }}".to_owned(),
        "{{ a }}".to_owned(),
        "{{ m.x }}".to_owned(),
        "{{ c0 }}".to_owned(),
        "{{ 'x' * 60000000 }}{{ 'x' * 60000000 }}".to_owned(),
        "{{ lookup('sequence', 'end=99999999999') }}".to_owned(),
    ];
    templates.push("{{".repeat(10_000));
    let mut vars = "a: '{{ b }}'\nb: '{{ a }}'\nm: {x: '{{ m.y }}', y: '{{ m.x }}'}\n".to_owned();
    for i in 0..2000 {
        let _ = writeln!(vars, "c{i}: '{{{{ c{} }}}}'", i + 1);
    }
    let scope = scope(&vars);
    // On a thread with little stack, as workers have it.
    let checked = std::thread::Builder::new().stack_size(1 << 20).spawn(move || {
        let templar = Templar::new();
        for template in templates {
            let result = templar.render(&text_node(&template), &scope);
            let short: String = template.chars().take(80).collect();
            assert!(
                result.is_err(),
                "{short} came to {:?}",
                result.map(|v| v.to_string().chars().take(80).collect::<String>())
            );
        }
    });
    checked.expect("a thread").join().expect("no crash");
}

#[test]
fn a_value_that_refers_to_itself_is_named_with_its_place() {
    let error = render("{{ a }}", "x: 1\na: '{{ b }}'\nb: '{{ a }}'").expect_err("a loop");
    assert!(
        error.message.contains("recursive loop detected in template"),
        "{}",
        error.message
    );
    assert_eq!(error.at.map(|at| at.line), Some(2));
}

#[test]
fn a_condition_must_come_to_a_boolean() {
    let vars = "yes_: true\nword: abc\nnum: 3\nexpr: num == 3\n";
    for (text, expected) in [
        ("yes_", true),
        ("not yes_", false),
        ("num == 3 and word in ['abc']", true),
        ("{{ num > 2 }}", true),
        ("{{ expr }}", true),
        ("'{{ word }}' == 'abc'", true),
        ("nope is defined and nope.x", false),
        ("word is match('a\\w+$')", true),
        (" num > 2\n", true),
    ] {
        assert_eq!(condition(text, vars), Ok(expected), "{text}");
    }
    for (text, message) in [
        (
            "word",
            "conditional result (True) was derived from value of type 'str'; conditionals must have a boolean result",
        ),
        ("[]", "conditional result (False) was derived from value of type 'list'"),
        ("num", "type 'int'"),
        ("none", "type 'NoneType'"),
        ("", "empty conditional"),
        ("nope == 1", "'nope' is undefined"),
        ("nope", "'nope' is undefined"),
    ] {
        let refused = condition(text, vars).expect_err(text);
        assert!(refused.contains(message), "{text}: {refused}");
    }
    assert_eq!(Templar::new().condition(&parse("yes"), &Scope::new()).ok(), Some(true));
}

#[test]
fn what_is_omitted_leaves_its_container() {
    let node = parse("{mode: '{{ m | default(omit) }}', list: [1, '{{ omit }}'], name: x}");
    let value = Templar::new().render(&node, &Scope::new()).expect("renders");
    assert_eq!(to_json(&value), serde_json::json!({"list": [1], "name": "x"}));
    let bare = render("{{ m | default(omit) }}", "").expect("renders");
    assert!(is_omit(&bare));
    assert!(is_omit(&crate::vars::templar::omit()));
    assert_eq!(shown("a{{ omit }}b", ""), "'ab'");
}

#[test]
fn a_literal_text_and_a_vault_are_not_templates() {
    let sealed = block(&seal(b"{{ secret }}", b"pw", Some("prod")).expect("random numbers"));
    let node = parse(&format!("- !unsafe '{{{{ x }}}}'\n- !vault |\n{sealed}"));
    let value = with_vault().render(&node, &Scope::new()).expect("renders");
    assert_eq!(to_json(&value), serde_json::json!(["{{ x }}", "{{ secret }}"]));
    let error = Templar::new().render(&node, &Scope::new()).expect_err("no password");
    assert_eq!(error.message, "cannot decrypt the value: no vault password was given");
    assert!(error.help.is_some_and(|help| help.contains("--vault-id prod@")));
    // The line with the tag, not the one with the digits.
    assert_eq!(error.at.map(|at| (at.line, at.column)), Some((2, 3)));
}

/// Renders with the vault password `pw`.
fn with_vault() -> Templar {
    let key = Key {
        label: "default".to_owned(),
        password: Secret::new(b"pw".to_vec()),
    };
    Templar::with_options(Options {
        vault: Arc::new(Keyring::new(vec![key], false)),
        ..Options::default()
    })
}

/// The lines of a block in YAML.
fn block(text: &str) -> String {
    text.lines().map(|line| format!("      {line}\n")).collect()
}

#[test]
fn an_encrypted_variable_is_decrypted_when_it_is_used_and_named_when_it_cannot_be() {
    let sealed = block(&seal("hunter22 ü".as_bytes(), b"pw", None).expect("random numbers"));
    let scope = scope(&format!(
        "pw: !vault |\n{sealed}plain: hunter22 ü\nusers:\n  - name: x\n    pw: !vault |\n{sealed}"
    ));
    let text = |templar: &Templar, template: &str| {
        let node = parse(&format!("'{template}'"));
        templar.render(&node, &scope).map(|value| value.to_string())
    };
    let templar = with_vault();
    assert_eq!(
        text(&templar, "{{ pw }} {{ users[0].pw }}").ok().as_deref(),
        Some("hunter22 ü hunter22 ü")
    );
    assert_eq!(
        text(
            &templar,
            "{{ pw is vault_encrypted }} {{ users[0].pw is vault_encrypted }} {{ plain is vault_encrypted }}"
        )
        .ok()
        .as_deref(),
        Some("True True False")
    );
    assert_eq!(templar.vault().revealed().since(0), ["hunter22 ü".into()]);
    // What is not used is not missed.
    let none = Templar::new();
    assert_eq!(
        text(&none, "{{ plain }} {{ users[0].name }}").ok().as_deref(),
        Some("hunter22 ü x")
    );
    let error = text(&none, "{{ pw }}").expect_err("no password");
    assert_eq!(
        error.message,
        "cannot decrypt the variable `pw`: no vault password was given"
    );
    let error = text(&none, "{{ users[0].pw }}").expect_err("no password");
    assert!(error.message.contains("the variable `users.0.pw`"), "{}", error.message);
    assert!(
        error
            .at
            .is_some_and(|at| at.file.text.lines().nth(at.line as usize - 1) == Some("    pw: !vault |"))
    );
}

#[test]
fn the_filters_vault_and_unvault_are_those_of_ansible() {
    // With the same salt as Ansible's own test data.
    let scope = scope("pw: s3cret\nx: value\n");
    let node = parse("'{{ x | vault(pw, salt=\"abc\", vault_id=\"me\") }}'");
    let templar = Templar::new();
    let sealed = templar.render(&node, &scope).expect("renders").to_string();
    assert!(sealed.starts_with("$ANSIBLE_VAULT;1.2;AES256;me\n"), "{sealed}");
    let again = templar.render(&node, &scope).expect("renders").to_string();
    assert_eq!(sealed, again);
    for (template, expected) in [
        ("{{ x | vault(pw) | unvault(pw) }}", Ok("value")),
        ("{{ x | unvault(pw) }}", Ok("value")),
        (
            "{{ x | vault(pw) | unvault(\"other\") }}",
            Err("the filter 'unvault' failed"),
        ),
        ("{{ 5 | vault(pw) }}", Err("can only vault strings, got 'int'")),
        ("{{ x | vault(\"\") }}", Err("the secret is empty")),
        ("{{ x | vault(pw) | vault(pw) }}", Err("encrypted already")),
    ] {
        let node = parse(&format!("'{template}'"));
        match (templar.render(&node, &scope), expected) {
            (Ok(value), Ok(text)) => assert_eq!(value.to_string(), text, "{template}"),
            (Err(error), Err(words)) => assert!(error.message.contains(words), "{template}: {}", error.message),
            (got, _) => panic!("{template}: {got:?}"),
        }
    }
}

#[test]
fn files_include_import_and_extend_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("written");
    };
    write("templates/part.j2", "part {{ who }} {{ local | default('-') }}\n");
    write(
        "templates/lib.j2",
        "{% macro hi(x) %}hi {{ x }}{% endmacro %}\n{% set v = 7 %}\n",
    );
    write(
        "templates/base.j2",
        "<{% block a %}base{% endblock %}|{% block b %}b{% endblock %}>\n",
    );
    write("templates/bad.j2", "one\n{{ nope }}\n");
    write("files/one.txt", "first\nsecond\n\n");
    write("files/conf.ini", "[web]\nport = 8080\nhost=a\n");
    write("files/t.csv", "he,2\nli,3\n");
    let vars = format!("who: me\nplaybook_dir: {}\n", folder.path().display());
    let scope = scope(&vars);
    let templar = Templar::new();
    let file = |text: &str| {
        let path = folder.path().join("templates/main.j2");
        templar.render_file(&path, text, &FileOptions::default(), &scope)
    };
    for (text, expected) in [
        (
            "{% set local = 'x' %}\n{% include 'part.j2' %}\nend\n",
            "part me xend\n",
        ),
        ("{% include 'part.j2' without context %}\n", "part me -\n"),
        ("{% include ['none.j2', 'part.j2'] %}\n", "part me -\n"),
        ("{% include 'none.j2' ignore missing %}x\n", "x\n"),
        (
            "{% import 'lib.j2' as lib %}{{ lib.hi('you') }} {{ lib.v }}\n",
            "hi you 7\n",
        ),
        ("{% from 'lib.j2' import hi as h, v %}{{ h('x') }}{{ v }}\n", "hi x7\n"),
        (
            "{% extends 'base.j2' %}{% block a %}child {{ super() }}{% endblock %}\n",
            "<child base|b>\n",
        ),
        ("{{ lookup('file', 'one.txt') }}\n", "first\nsecond\n"),
        ("{{ lookup('template', 'part.j2') }}", "part me -\n"),
        ("{{ lookup('ini', 'port section=web file=conf.ini') }}", "8080"),
        (
            "{{ lookup('ini', 'nope', section='web', file='conf.ini', default='d') }}",
            "d",
        ),
        ("{{ lookup('csvfile', 'li file=t.csv delimiter=,') }}", "3"),
        ("{{ query('fileglob', '*.txt') | map('basename') }}", "['one.txt']"),
        ("{{ lookup('first_found', ['nope', 'one.txt']) | basename }}", "one.txt"),
        ("{{ lookup('file', 'nope', errors='ignore') }}|", "|"),
    ] {
        assert_eq!(file(text).map_err(|e| e.message), Ok(expected.to_owned()), "{text}");
    }
    let error = file("x\n{% include 'bad.j2' %}\n").expect_err("undefined inside");
    let at = error.at.expect("a place");
    assert!(at.file.path.ends_with("templates/bad.j2") && at.line == 2, "{at}");
    let error = file("x\n\n{{ nope }}\n").expect_err("undefined");
    assert!(error.to_string().contains("main.j2:3:1"), "{error}");
    let error = file("{% include 'none.j2' %}\n").expect_err("no file");
    assert!(error.message.contains("template `none.j2` not found"));
    // A template that includes itself ends.
    write("templates/self.j2", "{% include 'self.j2' %}\n");
    assert!(file("{% include 'self.j2' %}\n").is_err());
    // A password is made once and kept.
    let first = file("{{ lookup('password', 'pw/x length=12 chars=digits') }}").expect("made");
    assert_eq!(first.len(), 12);
    assert_eq!(file("{{ lookup('password', 'pw/x length=12') }}").ok(), Some(first));
}

#[test]
fn a_template_file_keeps_its_lines_as_jinja_does() {
    let file = |text: &str, options: &FileOptions| {
        Templar::new().render_file(Path::new("t.j2"), text, options, &scope("who: me"))
    };
    let default = FileOptions::default();
    let lstrip = FileOptions {
        lstrip_blocks: true,
        ..FileOptions::default()
    };
    let no_trim = FileOptions {
        trim_blocks: false,
        ..FileOptions::default()
    };
    let text = "a\n  {% if true %}\n  b\n  {% endif %}\nc\n";
    assert_eq!(file(text, &default).ok().as_deref(), Some("a\n    b\n  c\n"));
    assert_eq!(file(text, &lstrip).ok().as_deref(), Some("a\n  b\nc\n"));
    assert_eq!(file(text, &no_trim).ok().as_deref(), Some("a\n  \n  b\n  \nc\n"));
    assert_eq!(file("x\n\n\n", &default).ok().as_deref(), Some("x\n\n\n"));
    assert_eq!(file("", &default).ok().as_deref(), Some(""));
    let header = "#jinja2: trim_blocks: False\n{% if true %}\nx\n{% endif %}\n";
    assert_eq!(file(header, &default).ok().as_deref(), Some("\nx\n"));
    let square = FileOptions {
        variable_start: "[[".into(),
        variable_end: "]]".into(),
        block_start: "[%".into(),
        block_end: "%]".into(),
        ..FileOptions::default()
    };
    assert_eq!(
        file("[% if 1 %]\n{{ kept }} [[ who ]]\n[% endif %]\n", &square)
            .ok()
            .as_deref(),
        Some("{{ kept }} me\n")
    );
    assert_eq!(file("{{ 'a\\tb' }}\n", &default).ok().as_deref(), Some("a\tb\n"));
    assert!(file("#jinja2: frim_blocks: False\nx", &default).is_err());
}

#[test]
fn lookups_give_loops_their_lists() {
    let scope = scope("base: x\nlist: [1, [2, 3]]\n");
    let mut options = Options::default();
    options.environment.insert("HOME_TOWN".into(), "Rome".into());
    let templar = Templar::with_options(options);
    let json = |text: &str| from_json(&serde_json::from_str(text).expect("JSON"));
    let with = |name: &str, terms: &str| {
        let found = templar.lookup(name, &json(terms), &[], &scope);
        found
            .map(|items| to_json(&Value::from_object(items)).to_string())
            .map_err(|e| e.message)
    };
    for (name, terms, expected) in [
        ("items", "[1, [2, 3]]", "[1,2,3]"),
        ("list", "[1, [2, 3]]", "[1,[2,3]]"),
        ("dict", "{\"a\": 1}", "[{\"key\":\"a\",\"value\":1}]"),
        (
            "sequence",
            "\"start=1 end=5 stride=2 format=n%02d\"",
            "[\"n01\",\"n03\",\"n05\"]",
        ),
        ("sequence", "\"count=0\"", "[]"),
        ("nested", "[[1, 2], [3]]", "[[1,3],[2,3]]"),
        ("together", "[[1, 2], [3]]", "[[1,3],[2,null]]"),
        ("indexed_items", "[\"a\"]", "[[0,\"a\"]]"),
        (
            "subelements",
            "[[{\"n\": 1, \"s\": [2]}], \"s\"]",
            "[[{\"n\":1,\"s\":[2]},2]]",
        ),
        ("env", "[\"HOME_TOWN\", \"NOT_SET\"]", "[\"Rome\",\"\"]"),
        ("vars", "\"base\"", "[\"x\"]"),
        ("lines", "\"printf 'a\\\\nb\\\\n'\"", "[\"a\",\"b\"]"),
    ] {
        assert_eq!(with(name, terms), Ok(expected.to_owned()), "{name} {terms}");
    }
    assert!(with("pipe", "\"echo oops >&2; exit 3\"").is_err_and(|e| e.contains("ended with status 3")));
    assert!(with("sequence", "\"start=1\"").is_err());
    assert!(with("file", "\"no-such-file\"").is_err_and(|e| e.contains("cannot find the file `no-such-file`")));
    assert!(crate::vars::lookups::exists("file") && !crate::vars::lookups::exists("fil"));
}

#[test]
fn password_hashes_are_those_of_crypt() {
    // Test values of the published specification.
    for (template, expected) in [
        (
            "{{ 'Hello world!' | password_hash('sha512', 'saltstring', rounds=5000) }}",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        ),
        (
            "{{ 'Hello world!' | password_hash('sha256', 'saltstring', rounds=5000) }}",
            "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
        ),
    ] {
        assert_eq!(shown(template, ""), format!("'{expected}'"));
    }
}

#[test]
fn one_renderer_serves_many_threads() {
    let templar = Templar::new();
    let scope = scope("l: [1, 2, 3]\nx: '{{ l | map(\"string\") | join(n | string) }}'\n");
    std::thread::scope(|threads| {
        for n in 0..8 {
            let (templar, scope) = (&templar, &scope);
            threads.spawn(move || {
                let scope = with_data(scope, "n", Value::from(n));
                for _ in 0..50 {
                    let value = templar.render(&text_node("{{ x }}"), &scope).expect("renders");
                    assert_eq!(value.as_str(), Some(format!("1{n}2{n}3").as_str()));
                }
            });
        }
    });
}

#[test]
fn values_pass_through_json_unchanged() {
    let json = serde_json::json!({"z": 1, "a": [1.5, null, true, "é\n"], "big": u64::MAX, "deep": {"x": {}}});
    assert_eq!(to_json(&from_json(&json)), json);
    assert_eq!(
        to_json(&Value::from_bytes(vec![b'a', 0xff])),
        serde_json::json!("a\u{fffd}")
    );
    assert_eq!(to_json(&Value::from(f64::NAN)), serde_json::Value::Null);
    assert_eq!(to_json(&Value::UNDEFINED), serde_json::Value::Null);
}

#[test]
fn an_isolated_rendering_opens_no_file_and_starts_nothing() {
    let templar = Templar::with_options(Options {
        isolated: true,
        ..Options::default()
    });
    for text in [
        "{{ lookup('pi' ~ 'pe', 'echo x') }}",
        "{{ query('lines', 'echo x') }}",
        "{{ lookup('file', '/etc/hostname') }}",
        "{{ lookup('password', '/tmp/nobody length=3') }}",
        "{{ lookup('first_found', '/etc/hostname') }}",
        "{{ '/etc/*' | fileglob }}",
        "{{ '/etc/hostname' is vaulted_file }}",
        "{% include '/etc/hostname' %}",
    ] {
        assert!(templar.render(&text_node(text), &Scope::new()).is_err(), "{text}");
    }
    // What needs nothing from outside works.
    let text = text_node("{{ query('sequence', 'end=2') }}");
    assert!(templar.render(&text, &Scope::new()).is_ok());
}
