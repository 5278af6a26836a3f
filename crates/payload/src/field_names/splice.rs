//! The one pass over an update's bytes: copies them, but for the names and members that are edited.

use crate::json;
use crate::update::Member;

/// What becomes of a member.
pub(super) enum Edit<'e> {
    Keep,
    /// Its name and colon become these bytes.
    Key(&'e [u8]),
    /// Its name becomes this.
    Name(&'e str),
    /// It goes, with one of the commas around it.
    Drop,
}

/// Appends `text` with each member edited as `edit` says; it is asked in the order of the text, also for members of dropped ones.
pub(super) fn splice<'e>(
    text: &[u8],
    members: &[Member],
    out: &mut Vec<u8>,
    mut edit: impl FnMut(&Member) -> Edit<'e>,
) {
    let mut done = 0;
    for member in members {
        let edit = edit(member);
        let start = member.key_start();
        if start < done {
            continue; // Inside a dropped member.
        }
        let value = member.value_range();
        match edit {
            Edit::Keep => {}
            Edit::Key(key) => {
                out.extend_from_slice(&text[done..start]);
                out.extend_from_slice(key);
                done = value.start;
            }
            Edit::Name(name) => {
                out.extend_from_slice(&text[done..start]);
                json::write_string(name, out);
                out.push(b':');
                done = value.start;
            }
            Edit::Drop => {
                out.extend_from_slice(&text[done..start]);
                done = value.end;
                if text[done] == b',' {
                    done += 1;
                } else if out.last() == Some(&b',') {
                    out.pop();
                }
            }
        }
    }
    out.extend_from_slice(&text[done..]);
}
