use std::time::Duration;

use delivery::clock::Clock;
use delivery::engine::Limits;
use delivery::store::desk::Desk;
use delivery::store::memory::MemoryStore;
use sender::seal::SealingKey;
use sender::settings::Guarding;

use super::limiter::{MAX_PLACES, MAX_TRIES, WINDOW};
use super::sessions::{IDLE, MAX_SESSIONS, WHOLE};
use super::*;

const LOOPBACK: &str = "127.0.0.1:8090";
const EVERYWHERE: &str = "0.0.0.0:8090";

fn access(address: &str, token: Option<&str>) -> Access {
    Access::new(address.parse().unwrap(), token.map(SecretString::from), Known::default())
}

fn with_person(address: &str) -> Access {
    let access = access(address, None);
    let person = Person::new(people::hash(&SecretString::from("correct horse")).unwrap(), at(0));
    access.known.write().unwrap().people.insert("ann".to_owned(), person);
    access
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000)
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&'static str, &str)| {
        (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).unwrap())
    };
    lines.iter().map(line).collect()
}

fn judged(access: &Access, lines: &[(&'static str, &str)]) -> Result<String, u16> {
    let judged = access.judge(&headers(lines), at(0));
    judged.map(|caller| caller.who).map_err(|refused| refused.status.as_u16())
}

async fn log_in(access: &Access, name: &str, password: &str, now: Timestamp) -> Result<String, Denied> {
    access.log_in((name, SecretString::from(password)), IpAddr::from([127, 0, 0, 1]), now).await
}

#[test]
fn a_token_is_wanted_whole() {
    let access = access(EVERYWHERE, Some("0123456789abcdef"));
    for right in ["Bearer 0123456789abcdef", "bearer 0123456789abcdef"] {
        assert_eq!(judged(&access, &[("authorization", right)]), Ok("the token".to_owned()));
    }
    for wrong in ["Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "Bearer ", "", "Basic x"] {
        assert_eq!(judged(&access, &[("authorization", wrong)]), Err(401), "{wrong}");
    }
    assert_eq!(judged(&access, &[]), Err(401));
}

#[test]
fn without_a_token_only_this_machine_s_names_are_answered_and_its_own_pages() {
    let open = access(LOOPBACK, None);
    for host in ["localhost", "localhost:8090", "127.0.0.1:1", "[::1]:8090", "LOCALHOST."] {
        assert_eq!(judged(&open, &[("host", host)]), Ok("this machine".to_owned()), "{host}");
    }
    for host in ["example.com", "127.0.0.1.example.com", "localhost.example.com:80", "", "[::2]"] {
        assert_eq!(judged(&open, &[("host", host)]), Err(421), "{host}");
    }
    for (origin, status) in [
        ("http://localhost:8090", None),
        ("http://localhost:3000", Some(403)),
        ("http://127.0.0.1:8090", Some(403)),
        ("https://example.com", Some(403)),
        ("null", Some(403)),
        ("", Some(403)),
    ] {
        let judged = judged(&open, &[("host", "localhost:8090"), ("origin", origin)]);
        assert_eq!(judged.err(), status, "{origin}");
    }
    for (lines, status) in [
        (&[("sec-fetch-site", "same-origin")][..], None),
        (&[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")], None),
        (&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")], Some(403)),
        (&[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "cors")], Some(403)),
        (&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], None),
    ] {
        let lines = [&[("host", "localhost:8090")], lines].concat();
        assert_eq!(judged(&open, &lines).err(), status, "{lines:?}");
    }
    assert_eq!(judged(&open, &[("host", "localhost"), ("authorization", "Bearer x")]), Err(401));
    for sign in ["forwarded", "x-forwarded-for", "x-real-ip", "via"] {
        assert_eq!(judged(&open, &[("host", "localhost"), (sign, "1.1 proxy")]), Err(403), "{sign}");
    }
}

#[test]
fn a_server_is_open_on_loopback_only_and_until_somebody_can_log_in() {
    let wrong = || Known { damaged: true, ..Known::default() };
    let damaged = Access::new(LOOPBACK.parse().unwrap(), None, wrong());
    for (access, open, wants_set_up, prints) in [
        (access(LOOPBACK, None), true, false, false),
        (access(LOOPBACK, Some("0123456789abcdef")), false, true, false),
        (access(EVERYWHERE, None), false, true, true),
        (access(EVERYWHERE, Some("0123456789abcdef")), false, true, false),
        (with_person(LOOPBACK), false, false, false),
        (with_person(EVERYWHERE), false, false, false),
        (damaged, false, false, false),
        (Access::new(EVERYWHERE.parse().unwrap(), None, wrong()), false, false, false),
    ] {
        assert_eq!(
            (access.is_open(), access.wants_set_up(), access.set_up_token().is_some()),
            (open, wants_set_up, prints),
            "{access:?}"
        );
        assert!(access.set_up_token().is_none_or(|token| token.expose_secret().len() == 43));
        assert_eq!(judged(&access, &[("host", "localhost")]).is_ok(), open);
    }
}

#[tokio::test]
async fn who_logs_in_is_known_by_a_cookie_and_changes_repeat_a_word() {
    let access = with_person(LOOPBACK);
    assert_eq!(log_in(&access, "ann", "wrong horse", at(0)).await, Err(Denied::Wrong));
    assert_eq!(log_in(&access, "bob", "correct horse", at(0)).await, Err(Denied::Wrong));
    let value = log_in(&access, "ann", "correct horse", at(0)).await.unwrap();
    let cookie = format!("other=caf\u{e9}; fusion_webhook_8090={value}");
    let asked = |origin: &str, now| {
        let lines = [("host", "h:1"), ("cookie", &*cookie), ("origin", origin)];
        access.judge(&headers(&lines), now)
    };
    let caller = asked("http://h:1", at(1)).unwrap();
    assert_eq!(caller.who, "ann");
    assert!(caller.is_logged_in() && caller.confirms(caller.confirmation().as_bytes()));
    assert!(!caller.confirms(b"") && !caller.confirms(value.as_bytes()));
    assert_eq!(asked("http://other", at(1)).unwrap_err().status, 403);
    let proxied =
        [("host", "inner:1"), ("x-forwarded-host", "h:1"), ("cookie", &*cookie), ("origin", "https://h:1")];
    assert_eq!(judged(&access, &proxied), Ok("ann".to_owned()));
    assert_eq!(
        judged(&access, &[("host", "h:1"), ("cookie", &cookie), ("authorization", "Basic dTpw")]),
        Ok("ann".to_owned())
    );
    assert_eq!(judged(&access, &[("host", "h:1"), ("cookie", "fusion_webhook_8090=x")]), Err(401));
    access.log_out(&headers(&[("cookie", &cookie)]));
    assert_eq!(asked("http://h:1", at(1)).unwrap_err().status, 401);
}

#[tokio::test]
async fn a_log_in_that_waited_while_the_password_changed_is_none() {
    let access = with_person(LOOPBACK);
    let turn = access.hashing.acquire().await.unwrap();
    let waiting = log_in(&access, "ann", "correct horse", at(0));
    let changing = async {
        tokio::task::yield_now().await;
        let hash = people::hash(&SecretString::from("correct donkey")).unwrap();
        let person = access.known.read().unwrap().people["ann"].clone().with(hash);
        access.known.write().unwrap().people.insert("ann".to_owned(), person);
        drop(turn);
    };
    assert_eq!(tokio::join!(waiting, changing).0, Err(Denied::Wrong));
    assert!(log_in(&access, "ann", "correct donkey", at(0)).await.is_ok());
}

#[tokio::test]
async fn tries_are_counted_by_place_and_a_right_one_gives_them_back() {
    let access = with_person(LOOPBACK);
    for _ in 1..MAX_TRIES {
        assert_eq!(log_in(&access, "ann", "wrong horse", at(0)).await, Err(Denied::Wrong));
    }
    log_in(&access, "ann", "correct horse", at(1)).await.unwrap();
    for _ in 0..MAX_TRIES {
        assert_eq!(log_in(&access, "ann", "wrong horse", at(2)).await, Err(Denied::Wrong));
    }
    let later = log_in(&access, "ann", "correct horse", at(3)).await;
    assert_eq!(later, Err(Denied::Later(300)), "also the right one waits");
    let elsewhere = access.log_in(("ann", "correct horse".into()), IpAddr::from([10, 0, 0, 1]), at(3)).await;
    assert!(elsewhere.is_ok());
    assert!(log_in(&access, "ann", "correct horse", at(2 + WINDOW.as_secs())).await.is_ok());
}

#[test]
fn the_limiter_forgets_the_oldest_place_and_takes_an_ipv6_network_for_one() {
    let mut limiter = Limiter::default();
    let v6 = |low: u128| IpAddr::V6((0x2001_0db8 << 96 | low).into());
    for low in 0..u128::from(MAX_TRIES) {
        assert_eq!(limiter.take(v6(low), at(0)), Ok(()));
    }
    assert_eq!(limiter.take(v6(99), at(1)), Err(300));
    assert_eq!(limiter.take(v6(1 << 64), at(1)), Ok(()));
    for place in 0..u32::try_from(MAX_PLACES).unwrap() {
        assert_eq!(limiter.take(IpAddr::V4(place.into()), at(2)), Ok(()));
    }
    assert_eq!(limiter.take(v6(99), at(2)), Ok(()), "it was forgotten");
}

#[test]
fn a_place_has_its_tries_within_a_while_and_so_many_places_are_remembered() {
    assert_eq!((MAX_TRIES, WINDOW, MAX_PLACES), (10, Duration::from_secs(300), 4_096));
    let mut limiter = Limiter::default();
    let place = |number: usize| IpAddr::V4(u32::try_from(number).unwrap().into());
    let spend = |limiter: &mut Limiter, number: usize, now: Timestamp| {
        for _ in 0..MAX_TRIES {
            assert_eq!(limiter.take(place(number), now), Ok(()));
        }
        limiter.take(place(number), now)
    };
    assert_eq!(spend(&mut limiter, 0, at(0)), Err(301));
    assert_eq!(limiter.take(place(0), at(WINDOW.as_secs() - 1)), Err(2));
    assert_eq!(limiter.take(place(0), at(WINDOW.as_secs())), Ok(()));

    let mut limiter = Limiter::default();
    assert!(spend(&mut limiter, 0, at(0)).is_err() && spend(&mut limiter, 1, at(1)).is_err());
    for number in 2..MAX_PLACES {
        assert_eq!(limiter.take(place(number), at(1)), Ok(()));
    }
    assert!(limiter.take(place(0), at(1)).is_err(), "all of them are remembered");
    assert_eq!(limiter.take(place(MAX_PLACES), at(1)), Ok(()));
    assert!(limiter.take(place(1), at(1)).is_err());
    assert_eq!(limiter.take(place(0), at(1)), Ok(()), "it was forgotten for one more");
}

#[test]
fn sessions_end_when_they_rest_when_they_are_old_and_with_their_person() {
    let mut sessions = Sessions::default();
    let value = sessions.begin("ann", at(0)).unwrap();
    assert!(
        sessions.find("", at(0), true).is_none()
            && sessions.find(&value, at(IDLE.as_secs() - 1), true).is_some()
    );
    assert!(sessions.find(&value, at(2 * IDLE.as_secs() - 1), true).is_none(), "it rested");
    let value = sessions.begin("ann", at(0)).unwrap();
    assert!(sessions.find(&value, at(IDLE.as_secs() - 1), false).is_some());
    assert!(
        sessions.find(&value, at(IDLE.as_secs()), true).is_none(),
        "a page that asks by itself is nobody"
    );
    let value = sessions.begin("ann", at(0)).unwrap();
    let mut now = Duration::ZERO;
    while now < WHOLE {
        assert!(sessions.find(&value, at(now.as_secs()), true).is_some());
        now += Duration::from_secs(3600);
    }
    assert!(sessions.find(&value, at(WHOLE.as_secs() - 1), true).is_some());
    assert!(sessions.find(&value, at(WHOLE.as_secs()), true).is_none(), "it is old");
    let (ann, bob) = (sessions.begin("ann", at(1)).unwrap(), sessions.begin("bob", at(2)).unwrap());
    sessions.end_of("ann");
    assert!(sessions.find(&ann, at(2), true).is_none() && sessions.find(&bob, at(2), true).is_some());
}

#[test]
fn for_one_session_too_many_the_one_that_rested_longest_ends() {
    let mut sessions = Sessions::default();
    let [first, second] = [1, 2].map(|seconds| sessions.begin("ann", at(seconds)).unwrap());
    for _ in 2..MAX_SESSIONS {
        sessions.begin("eve", at(3)).unwrap();
    }
    assert!(sessions.find(&first, at(3), false).is_some() && sessions.find(&second, at(3), false).is_some());
    sessions.begin("eve", at(4)).unwrap();
    assert!(sessions.find(&first, at(4), false).is_none(), "it made place");
    assert!(sessions.find(&second, at(4), false).is_some());
}

#[test]
fn a_password_is_kept_as_argon2id_and_shown_nowhere() {
    let password = SecretString::from("correct horse");
    let hash = people::hash(&password).unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert!(people::verify(Some(&hash), &password));
    for wrong in ["correct hors", "", &"x".repeat(MAX_PASSWORD + 1)] {
        assert!(!people::verify(Some(&hash), &SecretString::from(wrong)));
    }
    assert!(!people::verify(None, &password) && !people::verify(Some("?"), &password));
    assert_eq!(format!("{:?}", Person::new(hash, at(0))), "Person");
    for (name, password, told) in [
        ("", "correct horse", "name: "),
        ("a b", "correct horse", "name: "),
        ("ann", "short", "password: it is shorter"),
        ("ann", &*"x".repeat(MAX_PASSWORD + 1), "password: it is longer"),
    ] {
        let Err(Denied::Invalid(mistakes)) = people::check(name, &SecretString::from(password)) else {
            panic!("{name} {password}");
        };
        assert!(mistakes.len() == 1 && mistakes[0].starts_with(told), "{mistakes:?}");
    }
}

#[test]
fn a_password_has_its_length() {
    assert_eq!((MIN_PASSWORD, MAX_PASSWORD), (12, 1_024));
    let told = |password: String| match people::check("ann", &SecretString::from(password)) {
        Ok(()) => String::new(),
        Err(denied) => denied.to_string(),
    };
    // Characters at least, bytes at most.
    for character in ["x", "\u{e9}"] {
        let short = told(character.repeat(MIN_PASSWORD - 1));
        assert_eq!(short, "password: it is shorter than 12 characters");
        assert_eq!(told(character.repeat(MIN_PASSWORD)), "");
        assert_eq!(told(character.repeat(MAX_PASSWORD / character.len())), "");
    }
    for long in ["x".repeat(MAX_PASSWORD + 1), "\u{e9}".repeat(MAX_PASSWORD / 2) + "x"] {
        assert_eq!(told(long), "password: it is longer than 1024 bytes");
    }
}

/// A book that is kept in memory.
async fn book() -> Book {
    let (clock, desk) = (Clock::start(), Desk::inline(MemoryStore::default()));
    let sender = Sender::on(desk, clock, Limits::default(), 1, crate::Watch::new());
    let key = SealingKey::parse(&SealingKey::generate().unwrap()).unwrap();
    Book::open(sender, key, Guarding::Off, clock).await.unwrap()
}

#[tokio::test]
async fn one_person_too_many_is_refused() {
    let (access, book) = (with_person(LOOPBACK), book().await);
    for number in 2..MAX_PEOPLE {
        let person = access.known().people["ann"].clone();
        access.known.write().unwrap().people.insert(format!("{number}"), person);
    }
    let add = |name| access.add_person((name, SecretString::from("correct horse")), &book, "ann", at(1));
    assert_eq!(add("bob").await, Ok(()));
    assert_eq!(access.people().len(), MAX_PEOPLE);
    let told = add("eve").await.unwrap_err().to_string();
    assert_eq!(told, "name: there are 100 people already");
    access.remove_person("bob", &book, "ann").await.unwrap();
    assert_eq!(add("eve").await, Ok(()));
}

#[tokio::test]
async fn one_token_too_many_is_refused() {
    let (access, book) = (access(LOOPBACK, None), book().await);
    for number in 0..MAX_TOKENS {
        access.add_token(&format!("{number}"), &book, "ann", at(1)).await.unwrap();
    }
    let told = access.add_token("more", &book, "ann", at(1)).await.unwrap_err().to_string();
    assert_eq!(told, "name: there are 1000 tokens already");
    access.remove_token("0", &book, "ann").await.unwrap();
    assert!(access.add_token("more", &book, "ann", at(1)).await.is_ok());
}
