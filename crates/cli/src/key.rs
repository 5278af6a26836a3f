//! The key that seals stored secrets: from the environment, from a file, or made beside the store.

use std::io::Write;
use std::path::Path;

use sender::seal::SealingKey;

use crate::exit::Failure;
use crate::secret::Given;

/// Where a key that was made lies, in the folder of the store.
const MADE: &str = "key";

/// The key that is given, or the one that lies in the folder; one is made if there is none.
pub(crate) fn open(given: Option<&Given>, file: Option<&Path>, folder: &Path) -> Result<SealingKey, Failure> {
    let made = folder.join(MADE);
    if lies_beside(given, file) && !made.exists() {
        make(&made).map_err(|error| Failure::cannot_run(format!("error: {}: {error}", made.display())))?;
    }
    read(given, file, folder)
}

/// Whether the key lies beside what it seals: who copies the folder can open it then.
pub(crate) const fn lies_beside(given: Option<&Given>, file: Option<&Path>) -> bool {
    given.is_none() && file.is_none()
}

/// The key that is given, or the one that lies in the folder.
pub(crate) fn read(given: Option<&Given>, file: Option<&Path>, folder: &Path) -> Result<SealingKey, Failure> {
    let wrong =
        |place: &str, error: &dyn std::fmt::Display| Failure::wrong_input(format!("error: {place}: {error}"));
    if let Some(text) = given {
        return SealingKey::parse(text.text()).map_err(|error| wrong("FUSION_WEBHOOK_KEY", &error));
    }
    let made = folder.join(MADE);
    let path = file.unwrap_or(&made);
    let place = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&place, &error))?;
    SealingKey::parse(&text).map_err(|error| wrong(&place, &error))
}

/// Whole and for good, or not at all: what it seals may outlive a crash. The store's lock keeps others away.
fn make(path: &Path) -> std::io::Result<()> {
    let text = SealingKey::generate().map_err(std::io::Error::other)?;
    let half = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&half)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    std::fs::rename(&half, path)?;
    path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
}
