//! An integration as a browser posts it: the names and values of the form's fields, from a form and back to one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use secrecy::{ExposeSecret, SecretString};
use sender::form::{HeaderText, Name, Password, Retry};
use sender::{Form, Time, duration};

use super::Fields;

/// What the fields of field names begin with: a new name, and a box to leave one out.
pub(super) const NAME: &str = "name:";
pub(super) const OMIT: &str = "omit:";

/// What stands for no delays at all: one attempt only. Nothing typed means the default.
const NONE: &str = "none";

/// The fields of a form. A password is not among them.
pub(super) fn fields(form: &Form) -> Fields {
    let mut fields = Fields::default();
    let time = |time: &Option<Time>| time.as_ref().map(Time::to_string).unwrap_or_default();
    let delays = form.retry.delays.as_ref();
    let delays = delays.map(|delays| match &**delays {
        [] => NONE.to_owned(),
        delays => delays.iter().map(Time::to_string).collect::<Vec<_>>().join(", "),
    });
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    for (name, value) in [
        ("name", form.name.clone()),
        ("description", form.description.clone()),
        ("url", form.url.clone()),
        ("headers", form.headers.to_string()),
        ("username", form.username.clone()),
        ("content_type", form.content_type.clone().unwrap_or_default()),
        ("attempt_timeout", time(&form.attempt_timeout)),
        ("connect_timeout", time(&form.connect_timeout)),
        ("ca", form.ca.clone().unwrap_or_default()),
        ("allow", form.allow.join("\n")),
        ("concurrency", number(form.concurrency.map(|number| number as u64))),
        ("rate_per_second", number(form.rate_per_second.map(u64::from))),
        ("delays", delays.unwrap_or_default()),
        ("expiry", time(&form.retry.expiry)),
        ("retry_after_cap", time(&form.retry.retry_after_cap)),
        ("constants", constants(&form.constants)),
    ] {
        if !value.is_empty() {
            fields.put(name, value);
        }
    }
    let ticked = [
        ("skip_ssl_verification", form.skip_ssl_verification),
        ("http2", form.http2),
        ("coalesce", form.coalesce),
    ];
    for (name, _) in ticked.iter().filter(|(_, ticked)| *ticked) {
        fields.put(name, "on");
    }
    for (path, name) in &form.field_names {
        match name {
            Name::Renamed(name) => fields.put(&format!("{NAME}{path}"), name),
            Name::Kept(false) => fields.put(&format!("{OMIT}{path}"), "on"),
            Name::Kept(true) => {}
        }
    }
    fields
}

fn constants(constants: &BTreeMap<String, serde_json::Value>) -> String {
    constants.iter().fold(String::new(), |mut text, (name, value)| {
        // Writing into a String does not fail.
        let _ = match plain(name) {
            true => writeln!(text, "{name} = {value}"),
            false => writeln!(text, "{} = {value}", serde_json::Value::from(name.as_str())),
        };
        text
    })
}

/// The form that was filled in, and what of it could not be read, by field. A field that is empty is one that is not there;
/// so an empty password stays what it was, unless it is to be forgotten.
pub(super) fn form(fields: &Fields) -> (Form, Vec<String>) {
    let mut wrong = Vec::new();
    let some = |name: &str| Some(fields.text(name).trim()).filter(|text| !text.is_empty());
    let password = match fields.text("password") {
        "" if fields.is("forget_password") => Some(Password(SecretString::from(""))),
        "" => None,
        password => Some(Password(SecretString::from(password))),
    };
    let form = Form {
        name: fields.text("name").trim().to_owned(),
        description: fields.text("description").trim().to_owned(),
        url: fields.text("url").trim().to_owned(),
        skip_ssl_verification: fields.is("skip_ssl_verification"),
        headers: HeaderText::List(fields.text("headers").trim().to_owned()),
        username: fields.text("username").to_owned(),
        password,
        content_type: some("content_type").map(str::to_owned),
        field_names: names(fields),
        constants: read_constants(fields.text("constants"), &mut wrong),
        attempt_timeout: time(some("attempt_timeout"), "attempt_timeout", &mut wrong),
        connect_timeout: time(some("connect_timeout"), "connect_timeout", &mut wrong),
        http2: fields.is("http2"),
        ca: some("ca").map(str::to_owned),
        allow: list(fields.text("allow")).map(str::to_owned).collect(),
        concurrency: number(some("concurrency"), "concurrency", &mut wrong),
        rate_per_second: number(some("rate_per_second"), "rate_per_second", &mut wrong),
        coalesce: fields.is("coalesce"),
        retry: Retry {
            delays: delays(some("delays"), &mut wrong),
            expiry: time(some("expiry"), "expiry", &mut wrong),
            retry_after_cap: time(some("retry_after_cap"), "retry_after_cap", &mut wrong),
        },
    };
    (form, wrong)
}

fn names(fields: &Fields) -> BTreeMap<String, Name> {
    let omitted =
        |(name, _): &(String, String)| Some((name.strip_prefix(OMIT)?.to_owned(), Name::Kept(false)));
    let renamed = |(name, value): &(String, String)| {
        let path = name.strip_prefix(NAME)?;
        (!value.trim().is_empty()).then(|| (path.to_owned(), Name::Renamed(value.trim().to_owned())))
    };
    // What is left out needs no name.
    fields.0.iter().filter_map(renamed).chain(fields.0.iter().filter_map(omitted)).collect()
}

/// The items of a list, by commas, spaces or lines.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n', '\r', ' ', '\t']).map(str::trim).filter(|item| !item.is_empty())
}

fn time(text: Option<&str>, field: &str, wrong: &mut Vec<String>) -> Option<Time> {
    match duration(text?) {
        Ok(read) => Some(Time(read)),
        Err(why) => {
            wrong.push(format!("{field}: {why}"));
            None
        }
    }
}

fn delays(text: Option<&str>, wrong: &mut Vec<String>) -> Option<Vec<Time>> {
    let text = text?;
    if text == NONE {
        return Some(Vec::new());
    }
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    Some(items.filter_map(|item| time(Some(item), "delays", wrong)).collect())
}

fn number<N: std::str::FromStr>(text: Option<&str>, field: &str, wrong: &mut Vec<String>) -> Option<N> {
    let text = text?;
    let read = text.parse().ok();
    if read.is_none() {
        wrong.push(format!("{field}: {text:?} is no whole number"));
    }
    read
}

/// Whether a name can stand in its line without quotes.
fn plain(name: &str) -> bool {
    !name.is_empty() && name.trim() == name && !name.contains(['=', '"', '\n', '\r'])
}

/// A line of the constants: `name = JSON`, or `"name" = JSON`.
fn constant(line: &str) -> Option<(String, serde_json::Value)> {
    let (name, rest) = if line.starts_with('"') {
        let mut names = serde_json::Deserializer::from_str(line).into_iter::<String>();
        let name = names.next()?.ok()?;
        (name, line[names.byte_offset()..].trim_start().strip_prefix('=')?)
    } else {
        let (name, rest) = line.split_once('=')?;
        (name.trim().to_owned(), rest)
    };
    Some((name, serde_json::from_str(rest.trim()).ok()?))
}

fn read_constants(text: &str, wrong: &mut Vec<String>) -> BTreeMap<String, serde_json::Value> {
    let mut read = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match constant(line) {
            Some((name, _)) if read.contains_key(&name) => {
                wrong.push(format!("constants: {name:?} stands twice"));
            }
            Some((name, value)) => drop(read.insert(name, value)),
            None => {
                wrong.push(format!(
                    "constants: {line:?} is no name = JSON value, such as source = \"netography\""
                ));
            }
        }
    }
    read
}

/// Whether a form has a password that stays when none is written.
pub(super) fn has_password(form: &Form) -> bool {
    form.password.as_ref().is_some_and(|password| !password.0.expose_secret().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_goes_through_the_fields_of_a_page_and_comes_back() {
        let json = serde_json::json!({
            "name": "siem", "description": "two\nlines", "url": "https://a.example/x", "skip_ssl_verification": true,
            "headers": "X-A: \"b, c\", X-C: d\\, e", "username": "u", "content_type": "text/json", "attempt_timeout": "20s",
            "connect_timeout": "1500ms", "http2": true, "ca": "-----BEGIN CERTIFICATE-----", "allow": ["10.0.0.0/8", "fd00::/8"],
            "concurrency": 3, "rate_per_second": 20, "coalesce": true,
            "field_names": { "id": "event_id", "metrics.bits": false },
            "constants": { "source": "n = 1", "nested": { "a": [1, 2.5, null] }, "a = \"b\"\n": 1, " x": 2 },
            "retry": { "delays": ["50ms", "2m"], "expiry": "2h", "retry_after_cap": "1m" },
        });
        let form: Form = serde_json::from_value(json.clone()).unwrap();
        let (again, wrong) = super::form(&fields(&form));
        assert_eq!(wrong, [""; 0]);
        assert_eq!(serde_json::to_value(&again).unwrap(), json);
        let once: Form = serde_json::from_value(serde_json::json!({ "retry": { "delays": [] } })).unwrap();
        assert_eq!(super::form(&fields(&once)).0.retry.delays, Some(Vec::new()), "one attempt only");
        let (blank, wrong) = super::form(&Fields::default());
        assert_eq!(
            (serde_json::to_value(blank).unwrap(), wrong.len()),
            (serde_json::to_value(Form::default()).unwrap(), 0)
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_under_its_field() {
        for (field, text, told) in [
            ("attempt_timeout", "soon", "attempt_timeout: \"soon\" is no duration"),
            ("expiry", "1", "expiry: \"1\" is no duration"),
            ("delays", "5s, later", "delays: \"later\" is no duration"),
            ("concurrency", "-1", "concurrency: \"-1\" is no whole number"),
            ("rate_per_second", "99999999999", "rate_per_second: "),
            ("constants", "a = {", "constants: \"a = {\" is no name"),
            ("constants", "a = 1\na = 2", "constants: \"a\" stands twice"),
        ] {
            let (_, wrong) = form(&Fields(vec![(field.to_owned(), text.to_owned())]));
            assert!(wrong.len() == 1 && wrong[0].starts_with(told), "{wrong:?}");
        }
        let (none, _) = form(&Fields(vec![("delays".to_owned(), "none".to_owned())]));
        assert_eq!(none.retry.delays, Some(Vec::new()));
    }

    #[test]
    fn an_empty_password_stays_unless_it_is_to_be_forgotten() {
        let read = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
            let (form, _) = form(&Fields(pairs.collect()));
            form.password.map(|password| password.0.expose_secret().to_owned())
        };
        assert_eq!(read(&[("password", "")]), None);
        assert_eq!(read(&[("password", ""), ("forget_password", "on")]), Some(String::new()));
        assert_eq!(read(&[("password", "new"), ("forget_password", "on")]), Some("new".to_owned()));
    }
}
