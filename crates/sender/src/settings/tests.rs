use std::time::Duration;

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
fn what_is_left_out_is_the_documented_default() {
    let text = "[integrations.a]\nurl = \"http://127.0.0.1:9/\"\n";
    let settings = Settings::parse(text, &Table, Guarding::Off).unwrap();
    let (integration, limits) = (&settings.integrations["a"], settings.server.limits);
    let parts = integration.target.parts();
    assert_eq!([parts.attempt_timeout, parts.connect_timeout], [15, 5].map(Duration::from_secs));
    let hour = Duration::from_secs(3600);
    let delays = delivery::retry::DEFAULT_DELAYS.to_vec();
    let retry = delivery::retry::RetryPolicy::new(delays, 24 * hour, hour).unwrap();
    assert_eq!(integration.lane.retry, retry);
    assert_eq!((limits.in_flight.get(), limits.bytes, limits.backlog), (256, 64 << 20, 10_000_000));
    let whole = Settings::parse(EXAMPLE, &Table, Guarding::Off).unwrap().server.limits;
    assert_eq!(
        (whole.in_flight, whole.bytes, whole.backlog),
        (limits.in_flight, limits.bytes, limits.backlog)
    );
}

#[test]
fn a_token_that_could_be_guessed_is_refused() {
    assert_eq!(MIN_TOKEN, 16);
    let told = |token: String| {
        let text = format!("[server]\ntoken = \"{token}\"\n");
        Settings::parse(&text, &Table, Guarding::Off).map(drop).map_err(|error| error.to_string())
    };
    // Characters, not bytes.
    for character in ["x", "\u{e9}"] {
        assert_eq!(told(character.repeat(MIN_TOKEN)), Ok(()));
        let refused = told(character.repeat(MIN_TOKEN - 1)).unwrap_err();
        assert!(refused.contains("token: it is shorter than 16 characters"), "{refused}");
    }
}

#[test]
fn a_file_has_so_many_integrations_and_policies() {
    let integrations = |count: usize| -> String {
        (0..count).map(|number| format!("[integrations.n{number}]\nurl=\"http://127.0.0.1:9/\"\n")).collect()
    };
    let policies = |count: usize| "[[policies]]\nintegrations=[\"n0\"]\n".repeat(count);
    let told = |integrations: String, policies: String| -> Vec<String> {
        let text = integrations + &policies;
        let typed = typed::parse(&text, &Lines::of(&text)).unwrap();
        too_many(&typed).iter().map(|mistake| format!("{}: {}", mistake.place, mistake.what)).collect()
    };
    assert!(told(integrations(MAX_INTEGRATIONS), policies(MAX_POLICIES)).is_empty());
    assert_eq!(
        told(integrations(MAX_INTEGRATIONS + 1), policies(MAX_POLICIES + 1)),
        ["integrations: there are more than 10000", "policies: there are more than 1000"]
    );
    // Each mistake of a file is told.
    let text = integrations(1) + &policies(MAX_POLICIES + 1);
    let refused = Settings::parse(&text, &Table, Guarding::Off).unwrap_err().to_string();
    assert_eq!(refused, "configuration: policies: there are more than 1000");
}

#[test]
fn each_byte_has_its_line() {
    let text = "\na\r\n\nb";
    let lines = Lines::of(text);
    let counted = |offset: usize| 1 + text[..offset].matches('\n').count();
    assert!((0..=text.len()).all(|offset| lines.at(offset) == counted(offset)));
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
