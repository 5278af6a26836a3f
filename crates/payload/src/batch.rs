//! Several updates in one text: one JSON object, an array of them, or one after the other (NDJSON).

use serde_json::value::RawValue;

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
}
