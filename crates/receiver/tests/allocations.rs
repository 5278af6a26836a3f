//! What is done for each request allocates nothing.

use allocation_counter::measure;
use receiver::check::credentials::{Room, read};

#[test]
fn reading_usual_credentials_allocates_nothing() {
    for (value, pair) in [
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ("Aladdin", "open sesame")),
        ("basic  dGVzdDoxMjPCow== ", ("test", "123\u{a3}")),
        ("Basic Og==", ("", "")),
    ] {
        let read = measure(|| assert_eq!(read(value.as_bytes(), &mut Room::default()), Ok(pair)));
        assert_eq!(read.count_total, 0, "{value}");
    }
}
