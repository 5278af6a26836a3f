use delivery::engine::{AttemptReport, Limits, Observer, SettledReport};
use delivery::store::LaneId;
use delivery::store::desk::Desk;
use delivery::store::sqlite::{OpenError, Retention, SqliteStore};
use secrecy::ExposeSecret;

use super::*;

struct Quiet;

impl Observer for Quiet {
    fn attempted(&mut self, _: &AttemptReport<'_>) {}
    fn settled(&mut self, _: &SettledReport<'_>) {}
    fn disabled(&mut self, _: LaneId) {}
}

async fn sender(folder: &std::path::Path) -> Sender {
    let clock = Clock::start();
    // The store's thread ends a moment after its last handle.
    let store = loop {
        match SqliteStore::open(folder, Retention::default()) {
            Err(OpenError::Held(..)) => tokio::task::yield_now().await,
            opened => break opened.unwrap(),
        }
    };
    Sender::on(Desk::threaded(store, clock).unwrap(), clock, Limits::default(), 1, Quiet)
}

async fn open(folder: &std::path::Path, key: &str) -> Result<Book, BookError> {
    let key = SealingKey::parse(key).unwrap();
    let book = Book::open(sender(folder).await, key, Guarding::Off, Clock::start()).await?;
    let file = "[integrations.filed]\nurl = \"http://127.0.0.1:9/\"\n[[policies]]\nname = \"all\"\nintegrations = [\"filed\"]\n";
    book.take_over(Settings::parse(file, &Nothing, Guarding::Off).unwrap()).await.unwrap();
    Ok(book)
}

struct Nothing;

impl crate::settings::Source for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn file(&self, _: &std::path::Path) -> Result<Vec<u8>, String> {
        Err("there is none".to_owned())
    }
}

fn form(name: &str) -> Form {
    let json = serde_json::json!({ "name": name, "url": "http://127.0.0.1:9/", "username": "u", "password": "s3cret", "headers": "X-Api-Key: hidden" });
    serde_json::from_value(json).unwrap()
}

#[tokio::test]
async fn what_is_configured_outlives_the_process_and_lies_sealed() {
    let (folder, key) = (tempfile::tempdir().unwrap(), SealingKey::generate().unwrap());
    let book = open(folder.path(), &key).await.unwrap();
    let id = book.add(form("siem"), "me").await.unwrap();
    let policy = Policy { name: "grave".to_owned(), integrations: vec![id.clone()], ..Policy::default() };
    let policy = book.add_policy(policy, "me").await.unwrap();
    let lane = book.sender.lane("siem").unwrap();
    drop(book);

    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in [&b"s3cret"[..], b"hidden"] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret), "a secret lies open");
        }
    }
    let wrong = open(folder.path(), &SealingKey::generate().unwrap()).await.unwrap_err();
    assert!(wrong.to_string().contains("\"siem\" cannot be opened"), "{wrong}");
    let book = open(folder.path(), &key).await.unwrap();
    let view = book.view();
    let listed = &view.integrations[&id];
    assert_eq!((listed.origin, &*listed.form.name), (Origin::Store, "siem"));
    assert_eq!(listed.form.password.as_ref().unwrap().0.expose_secret(), "s3cret");
    assert_eq!(book.sender.lane(&id), Some(lane), "its lane is the same");
    assert_eq!(
        view.policies.iter().map(|(policy, origin)| (&*policy.name, *origin)).collect::<Vec<_>>(),
        [("all", Origin::File), ("grave", Origin::Store)]
    );

    assert_eq!(book.remove(&id, "me").await.unwrap_err(), Refused::InUse(vec!["grave".to_owned()]));
    book.remove_policy(&policy, "me").await.unwrap();
    book.remove(&id, "me").await.unwrap();
    assert_eq!(book.sender.lane("siem"), None);
    assert_eq!(book.view().gone[&id], "siem");
    drop(book);
    let book = open(folder.path(), &key).await.unwrap();
    assert_eq!(book.view().gone[&id], "siem");
    assert_eq!(book.state.lock().await.audit.len(), 4, "each change is in the audit log");
}

#[tokio::test]
async fn all_that_is_wrong_is_told_and_nothing_is_changed() {
    let (folder, key) = (tempfile::tempdir().unwrap(), SealingKey::generate().unwrap());
    let book = open(folder.path(), &key).await.unwrap();
    let mut wrong = form("filed");
    (wrong.url, wrong.allow) = ("nowhere".to_owned(), vec!["x".to_owned()]);
    let Refused::Invalid(mistakes) = book.add(wrong, "me").await.unwrap_err() else { panic!() };
    assert!(
        mistakes.iter().any(|mistake| mistake.starts_with("name: there is an integration \"filed\" already")),
        "{mistakes:?}"
    );
    assert!(mistakes.iter().any(|mistake| mistake.starts_with("allow: ")), "{mistakes:?}");
    assert_eq!(
        book.replace("filed", form("x"), "me").await.unwrap_err(),
        Refused::InFile("filed".to_owned())
    );
    assert!(matches!(book.remove("none", "me").await.unwrap_err(), Refused::Unknown { .. }));
    let policy = Policy {
        name: String::new(),
        severities: vec!["critical".to_owned()],
        integrations: vec!["none".to_owned()],
        ..Policy::default()
    };
    let Refused::Invalid(mistakes) = book.add_policy(policy, "me").await.unwrap_err() else { panic!() };
    assert_eq!(mistakes.len(), 3, "{mistakes:?}");
    assert_eq!(book.switch_policy("all", false, "me").await.unwrap_err(), Refused::InFile("all".to_owned()));
    assert_eq!(book.view().integrations.len(), 1);
}

#[tokio::test]
async fn a_form_that_leaves_secrets_out_keeps_them() {
    let (folder, key) = (tempfile::tempdir().unwrap(), SealingKey::generate().unwrap());
    let book = open(folder.path(), &key).await.unwrap();
    let id = book.add(form("siem"), "me").await.unwrap();
    let mut shown: Form =
        serde_json::from_value(serde_json::to_value(&*book.view().integrations[&id].form).unwrap()).unwrap();
    shown.name = "renamed".to_owned();
    book.replace(&id, shown, "me").await.unwrap();
    let view = book.view();
    let listed = &view.integrations[&id];
    assert_eq!(listed.integration.name, "renamed");
    assert_eq!(listed.form.secrets().unwrap(), form("siem").secrets().unwrap());
}

#[tokio::test]
async fn of_integrations_and_policies_there_are_so_many() {
    let (folder, key) = (tempfile::tempdir().unwrap(), SealingKey::generate().unwrap());
    let book = open(folder.path(), &key).await.unwrap();
    // One of each is in the file.
    let mut state = book.state.lock().await;
    state
        .stored
        .extend((2..MAX_INTEGRATIONS).map(|number| (format!("{number}"), form(&format!("n{number}")))));
    assert_eq!(book.check(&state, "last", &form("last")), Ok(()));
    state.stored.insert("last".to_owned(), form("last"));
    let told = Refused::Invalid(vec!["there are 10000 integrations already".to_owned()]);
    assert_eq!(book.check(&state, "more", &form("more")), Err(told));
    assert_eq!(book.check(&state, "last", &form("last")), Ok(()), "one that is there can be changed");
    state.stored.clear();

    let policy =
        || Policy { name: "p".to_owned(), integrations: vec!["filed".to_owned()], ..Policy::default() };
    state.policies.extend((2..MAX_POLICIES).map(|number| (format!("{number}"), policy())));
    drop(state);
    let last = book.add_policy(policy(), "me").await.unwrap();
    let told = Refused::Invalid(vec!["there are 1000 policies already".to_owned()]);
    assert_eq!(book.add_policy(policy(), "me").await, Err(told));
    assert_eq!(book.replace_policy(&last, policy(), "me").await, Ok(()));
    book.remove_policy(&last, "me").await.unwrap();
    assert!(book.add_policy(policy(), "me").await.is_ok());
}

#[tokio::test]
async fn for_one_entry_too_many_the_oldest_of_the_audit_log_goes() {
    let (folder, key) = (tempfile::tempdir().unwrap(), SealingKey::generate().unwrap());
    let book = open(folder.path(), &key).await.unwrap();
    let entry =
        async |name: &str| book.keep(Vec::new(), ("integration paused", "", name), "me").await.unwrap();
    let kept = async || {
        let read = |store: &mut dyn delivery::store::Store| store.documents(AUDIT);
        let documents = book.sender.engine().desk().accept(read, |_| {}).await.unwrap();
        let names = documents.found.iter().map(|entry| Audit::read(entry).unwrap().name);
        (book.state.lock().await.audit.len(), names.collect::<Vec<_>>())
    };
    entry("first").await;
    // In the store they would be no others.
    book.state.lock().await.audit.extend((2..MAX_AUDIT).map(|number| format!("{number}")));
    entry("last").await;
    assert_eq!(kept().await, (MAX_AUDIT, vec!["first".to_owned(), "last".to_owned()]));
    entry("more").await;
    assert_eq!(kept().await, (MAX_AUDIT, vec!["last".to_owned(), "more".to_owned()]));
}
