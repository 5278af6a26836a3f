//! The table of field names: every field of an update, with the name that it is sent under.

use maud::{Markup, html};
use payload::schema::{Field, Form, Kind};

use super::Fields;
use super::layout::mistakes;
use super::typed::{NAME, OMIT};

/// The table, as it was filled in.
pub(super) fn table(fields: &Fields, wrong: &[String], fixed: bool) -> Markup {
    let changed = Field::all().filter(|field| is_changed(fields, field.path())).count();
    html! {
        details #field-names open[changed > 0] {
            summary { "Field names" @if changed > 0 { span.faint { " · " (changed) " changed" } } }
            p.hint {
                "The receiver gets each field under the name that stands here. An empty one keeps the documented name. "
                "The body before and after is shown in the preview."
            }
            (mistakes("field_names", wrong))
            p.inline-label {
                label for="find-field" { "Search" }
                input #find-field type="search" data-filter="#fields tbody tr" autocomplete="off" placeholder="a field or its new name";
            }
            div.scroll {
                table #fields {
                    thead { tr { th scope="col" { "Field" } th scope="col" { "Holds" } th scope="col" { "Sent as" } th scope="col" { "Left out" } } }
                    tbody {
                        @for field in Field::all() {
                            @let path = field.path();
                            tr {
                                th scope="row" { code { (path) } }
                                td.faint { (holds(field.kind())) }
                                td {
                                    input name={ (NAME) (path) } value=(fields.text(&format!("{NAME}{path}"))) placeholder=(field.name())
                                        aria-label={ "The name that " (path) " is sent under" } disabled[fixed] autocomplete="off" spellcheck="false";
                                }
                                td {
                                    input type="checkbox" name={ (OMIT) (path) } checked[fields.is(&format!("{OMIT}{path}"))]
                                        aria-label={ "Leave " (path) " out" } disabled[fixed];
                                }
                            }
                        }
                    }
                }
            }
            label for="constants" { "Constants" }
            textarea #constants name="constants" rows="3" spellcheck="false" disabled[fixed] { (fields.text("constants")) }
            p.hint { "Members that every body gets, one a line: " code { "source = \"netography\"" } " (name = JSON value)." }
            (mistakes("constants", wrong))
        }
    }
}

fn is_changed(fields: &Fields, path: &str) -> bool {
    fields.is(&format!("{NAME}{path}")) || fields.is(&format!("{OMIT}{path}"))
}

/// What a field holds, in a few words.
fn holds(kind: Kind) -> String {
    match kind {
        Kind::Object(_) => "object".to_owned(),
        Kind::Items(_) => "list of objects".to_owned(),
        Kind::Leaf(forms) => forms.iter().map(|form| word(*form)).collect::<Vec<_>>().join(" or "),
    }
}

const fn word(form: Form) -> &'static str {
    match form {
        Form::Text => "text",
        Form::Flag => "true, false",
        Form::Integer => "whole number",
        Form::Decimal => "number",
        Form::Null => "null",
        Form::Texts => "list of texts",
        Form::Counts => "counts by name",
        Form::List => "list",
    }
}
