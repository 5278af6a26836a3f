use super::*;

/// One variable and one file.
struct Table;

impl Source for Table {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "SECRET").then(|| "from env".to_owned())
    }

    fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
        if path == Path::new("secret") { Ok(b"from file\n".to_vec()) } else { Err("no such file".to_owned()) }
    }
}

fn credentials(password: &str) -> String {
    let text = format!("[integrations.a]\nurl = \"http://a/\"\nusername = \"u\"\npassword = {password}\n");
    let settings = Settings::parse(&text, &Table, Guarding::Off).unwrap();
    let credentials = settings.integrations["a"].target.parts().credentials.clone().unwrap();
    credentials.header_value().to_str().unwrap().to_owned()
}

#[test]
fn the_example_is_right_and_names_every_default() {
    let settings = Settings::parse(EXAMPLE, &Table, Guarding::Off).unwrap();
    let integration = &settings.integrations["siem"];
    assert_eq!(integration.lane.retry, delivery::retry::RetryPolicy::standard());
    assert_eq!(integration.lane.concurrency.get(), crate::integration::DEFAULT_CONCURRENCY);
    assert_eq!(integration.target.parts().attempt_timeout, delivery::target::DEFAULT_ATTEMPT_TIMEOUT);
    assert_eq!(integration.target.parts().connect_timeout, delivery::target::DEFAULT_CONNECT_TIMEOUT);
    assert_eq!(settings.policies.len(), 1);
}

#[test]
fn passwords_come_from_where_they_are_kept() {
    for (password, encoded) in [
        ("\"in place\"", "Basic dTppbiBwbGFjZQ=="),
        ("{ env = \"SECRET\" }", "Basic dTpmcm9tIGVudg=="),
        ("{ file = \"secret\" }", "Basic dTpmcm9tIGZpbGU="),
    ] {
        assert_eq!(credentials(password), encoded);
    }
}

#[test]
fn mistakes_are_reported_together_with_their_lines() {
    let text = r#"
[integrations.a]
url = "ftp://a"
headers = "Host: x"
password = { env = "MISSING" }

[integrations.b]
url = "http://b/"
headers = { "X Y" = "1" }

[[policies]]
name = "p"
integrations = ["a", "c"]

[[policies]]
"#;
    let error = Settings::parse(text, &Table, Guarding::Off).unwrap_err();
    assert_eq!(
        error.to_string().lines().collect::<Vec<_>>(),
        [
            "configuration:2: integrations.a: password: the environment variable MISSING is not set",
            "configuration:7: integrations.b: headers: header 1 (X Y): a space cannot stand in a header name; names have \
             letters, digits and !#$%&'*+-.^_`|~ only",
            "configuration:11: policies.p: there is no integration \"c\"; there are: a, b",
            "configuration:15: policies[2]: it names no integration, so it does nothing",
        ]
    );
}

#[test]
fn what_toml_or_the_schema_refuses_has_its_line() {
    for (text, message) in [
        ("[integrations.a]\nurl = \"http://a\"\nheders = \"\"", "3: unknown field `heders`"),
        ("[integrations.a]\nurl = 5", "2: invalid type: integer `5`"),
        ("[integrations.a]\nurl = \"http://a\"\nattempt_timeout = \"soon\"", "3: \"soon\" is no duration"),
        ("[integrations.a", "1:"),
    ] {
        let error = Settings::parse(text, &Table, Guarding::Off).unwrap_err().to_string();
        assert!(error.starts_with(&format!("configuration:{message}")), "{error}");
    }
}
