//! The rules of the house that no compiler holds. Also a test, so that nobody has to remember it.

mod arrows;
mod files;

/// Checks everything and reports all that is wrong.
pub(crate) fn tidy() -> Result<(), String> {
    let mut wrong = Vec::new();
    files::check(&mut wrong);
    arrows::check(&mut wrong);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        super::tidy().unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}
