//! Steps over numbers; what they are worth is asked elsewhere.

use crate::blocks::{self, BLOCK};

fn byte(text: &[u8], at: usize) -> Option<u8> {
    text.get(at).copied()
}

/// The place behind a number, from its first digit.
#[inline(always)]
pub(super) fn end(text: &[u8], at: usize) -> Option<usize> {
    let end = digits(text, at)?;
    if end > at + 1 && byte(text, at)? == b'0' {
        return None;
    }
    match byte(text, end)? {
        b'.' | b'e' | b'E' => fraction(text, end),
        _ => Some(end),
    }
}

fn fraction(text: &[u8], mut at: usize) -> Option<usize> {
    if byte(text, at)? == b'.' {
        at = digits(text, at + 1)?;
    }
    if matches!(byte(text, at)?, b'e' | b'E') {
        let sign = matches!(byte(text, at + 1)?, b'+' | b'-');
        at = digits(text, at + 1 + usize::from(sign))?;
    }
    Some(at)
}

/// Steps over one digit or more.
#[inline(always)]
fn digits(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while let Some(block) = blocks::block(text, at) {
        let ends = blocks::non_digits(block);
        if ends != 0 {
            at += ends.trailing_zeros() as usize;
            return (at > start).then_some(at);
        }
        at += BLOCK;
    }
    at += text.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (at > start).then_some(at)
}
