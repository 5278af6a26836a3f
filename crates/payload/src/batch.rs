//! Several updates in one text: one JSON object, an array of them, or one after the other (NDJSON).

use serde_json::value::RawValue;

use crate::Update;

/// Reads updates one a line (NDJSON), if every line but for blank ones is one of them as a whole, and there are no more than
/// `most`. What is not so is for [`split`] to take apart, which finds the same updates in more time.
#[must_use]
pub fn lines(bytes: &[u8], most: usize) -> Option<Vec<Update>> {
    let mut updates = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
            continue;
        }
        if updates.len() == most {
            return None;
        }
        updates.push(Update::parse(line.strip_suffix(b"\r").unwrap_or(line).to_vec()).ok()?);
    }
    Some(updates)
}

/// Takes a text apart into the texts of its updates, unread. A text with a single broken object comes back whole: reading it
/// tells what is wrong.
///
/// # Errors
/// Where an array or a stream of several breaks off, for a person.
pub fn split(bytes: &[u8]) -> Result<Vec<&[u8]>, String> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        let items: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        return Ok(items.into_iter().map(|item| item.get().as_bytes()).collect());
    }
    let mut texts = Vec::new();
    for item in serde_json::Deserializer::from_slice(bytes).into_iter::<&RawValue>() {
        match item {
            Ok(item) => texts.push(item.get().as_bytes()),
            Err(_) if texts.is_empty() => return Ok(vec![bytes]),
            Err(error) => return Err(format!("after {} updates: {error}", texts.len())),
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn updates_come_as_one_object_an_array_or_a_stream() {
        for (text, count) in [
            ("", 0),
            ("  \n", 0),
            ("{}", 1),
            ("{\n}\n", 1),
            ("[{}, {},{}]", 3),
            ("[]", 0),
            ("{}\n{}\n\n{}", 3),
            ("{} {}", 2),
            ("{\"broken\":", 1),
        ] {
            assert_eq!(split(text.as_bytes()).map(|texts| texts.len()), Ok(count), "{text:?}");
        }
        assert!(split(b"{}\n{\"a\":").unwrap_err().starts_with("after 1 updates: EOF"));
        assert!(split(b"[{},").is_err());
    }

    #[test]
    fn lines_are_read_where_each_is_an_update() {
        for (text, count) in [
            ("", Some(0)),
            ("\n \t\r\n", Some(0)),
            ("{}", Some(1)),
            (" {\"a\":1}\r\n\n{\"b\": [1]}", Some(2)),
            ("{}\n{}\n{}\n", Some(3)),
            ("{}\n{}\n{}\n{}", None),
            ("{} {}", None),
            ("{\n}", None),
            ("{\"a\":{}\n,\"b\":{}}", None),
            ("{}\n1", None),
            ("[{}]", None),
            ("\x0c{}", None),
            ("{}\n{\"a\":", None),
        ] {
            assert_eq!(lines(text.as_bytes(), 3).map(|updates| updates.len()), count, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_lines_finds_split_finds_too(pieces in proptest::collection::vec(piece(), 0..12)) {
            let text = pieces.concat();
            if let Some(updates) = lines(text.as_bytes(), usize::MAX) {
                let split: Vec<_> = split(text.as_bytes()).unwrap();
                let split: Vec<_> = split.into_iter().map(|text| Update::parse(text.to_vec()).unwrap()).collect();
                prop_assert_eq!(updates.len(), split.len());
                for (line, split) in updates.iter().zip(&split) {
                    prop_assert_eq!(line.as_bytes(), split.as_bytes());
                }
            }
        }
    }

    /// A part of a text of several updates.
    fn piece() -> impl Strategy<Value = &'static str> {
        proptest::sample::select(vec![
            "{}",
            "{\"id\":\"1\"}",
            "{\"a\": {}}",
            "\n",
            "\n",
            "\n",
            "\r\n",
            " ",
            "[",
            "]",
            ",",
            "{",
            "}",
            "\"\\n\"",
            "1",
            "\x0c",
        ])
    }
}
