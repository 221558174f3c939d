//! What a person does, key by key, and what the pages show.

use super::*;
use crate::settings::{self, Layers};

/// The editor on a store with these texts and this environment.
fn model(stored: &[(&str, &str)], variables: &[(&str, &str)]) -> Model {
    let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let look = Box::new(move |stored: &[(String, String)]| {
        let layers = Layers { variables: variables.clone(), stored: stored.to_vec(), ..Layers::default() };
        settings::survey(&settings::registry(), layers)
    });
    Model::new(settings::registry(), owned(stored), look)
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
}

impl Model {
    fn press(&mut self, presses: &[Press]) -> Effect {
        let effects = presses.iter().map(|press| self.update(press));
        effects.last().expect("a key")
    }

    fn type_in(&mut self, text: &str) {
        for c in text.chars() {
            self.update(&Press::Char(c));
        }
    }

    /// Goes down to the row with this name.
    #[track_caller]
    fn go_to(&mut self, name: &str) -> &mut Self {
        for _ in 0..200 {
            if self.selected().starts_with(name) {
                return self;
            }
            self.update(&Press::Down);
        }
        panic!("{name:?} is not among\n{}", self.text());
    }

    fn selected(&self) -> String {
        let page = self.page();
        page.selected.map_or(String::new(), |at| line(&page.rows[at]))
    }

    /// The whole page.
    fn text(&self) -> String {
        let page = self.page();
        let mut lines = vec![page.title];
        lines.extend(page.input.map(|input| format!("{}{} | {}", input.prompt, input.text, input.verdict.1)));
        lines.extend(page.rows.iter().map(line));
        lines.extend(page.detail);
        lines.extend(page.message.map(|(_, text)| text));
        lines.join("\n")
    }

    #[track_caller]
    fn shows(&self, words: &[&str]) {
        let text = self.text();
        for word in words {
            assert!(text.contains(word), "{word:?} is not in\n{text}");
        }
    }

    fn pending(&self) -> Vec<(String, Option<String>)> {
        self.values.changes().into_iter().map(|change| (change.key, change.text)).collect()
    }
}

fn line(row: &super::super::page::Row) -> String {
    format!("{}  {}  {}", row.name, row.value, row.note)
}

#[test]
fn every_key_is_in_exactly_one_section() {
    for spec in settings::registry().specs() {
        let sections: Vec<_> = SECTIONS.iter().filter(|section| section.holds(spec.key)).map(|s| s.title).collect();
        assert_eq!(sections.len(), 1, "{}: {sections:?}", spec.key);
        assert_ne!(sections, ["Other"], "{}: give it a place", spec.key);
    }
}

#[test]
fn a_newcomer_sets_up_influxdb_2() {
    let mut model = model(&[], &[]);
    model.shows(&["Database  none: measurements stay on this machine"]);
    model.press(&[Press::Enter]);
    model.press(&[Press::Char('t')]);
    model.shows(&["No database is chosen"]);
    model.press(&[Press::Enter]);
    model.go_to("[ ] influxdb_v2").press(&[Press::Enter]);
    assert!(model.selected().starts_with("url"), "{}", model.selected());
    model.shows(&["org  (empty)  MISSING", "bucket  (empty)  MISSING", "token  (empty)  MISSING"]);
    assert!(!model.text().contains("retention_policy"), "only the chosen database's keys");
    model.press(&[Press::Char('t')]);
    model.shows(&["Not yet: fill in bucket, org, token first."]);
    for (name, text) in [("url", "http://nas:8086"), ("org", "home"), ("bucket", "filament"), ("token", "s3cret")] {
        assert!(model.selected().starts_with(name), "{}", model.selected());
        model.press(&[Press::Enter, Press::Ctrl('u')]);
        model.type_in(text);
        model.press(&[Press::Enter]);
    }
    assert!(model.selected().starts_with("Test the connection"), "{}", model.selected());
    let Effect::Test(number, loaded) = model.press(&[Press::Enter]) else { panic!("no test") };
    assert_eq!(
        loaded.settings.secret("database.influxdb_v2.token").expose(),
        "s3cret",
        "the test has the values that are not saved"
    );
    model.shows(&["up to 15 seconds"]);
    model.tested(number, Ok(vec![TestLine { name: "influxdb_v2", is_good: true, text: "may write".to_owned() }]));
    model.shows(&["influxdb_v2  ok", "It works"]);
    model.press(&[Press::Char('s')]);
    model.shows(&["database.influxdb_v2.token  (not set) -> ********", "database.type  none -> influxdb_v2"]);
    let Effect::Commit(changes) = model.press(&[Press::Char('s')]) else { panic!("not saved") };
    assert_eq!(changes.len(), 5);
    let stored = changes.into_iter().map(|change| (change.key, change.text.expect("a text"))).collect();
    model.committed(Committed::Saved { stored, daemon: "No daemon.".to_owned() });
    model.shows(&["Saved 5 changes. No daemon.", "influxdb_v2 -> http://nas:8086, bucket filament"]);
    assert!(matches!(model.press(&[Press::Char('q')]), Effect::Quit));
}

#[test]
fn an_old_test_does_not_answer_a_new_one() {
    let database = [("database.type", "influxdb_v1"), ("database.influxdb_v1.database", "d")];
    let mut model = model(&database, &[]);
    let Effect::Test(first, _) = model.press(&[Press::Enter, Press::Char('t')]) else { panic!("no test") };
    let Effect::Test(second, _) = model.press(&[Press::Esc, Press::Char('t')]) else { panic!("no test") };
    model.tested(first, Err("old".to_owned()));
    model.shows(&["up to 15 seconds"]);
    model.tested(second, Err("new".to_owned()));
    model.shows(&["could not be made: new"]);
    model.press(&[Press::Esc]);
    model.tested(second, Err("late".to_owned()));
    assert!(!model.text().contains("late"));
}

#[test]
fn numbers_are_checked_while_they_are_typed() {
    let mut model = model(&[], &[]);
    model.go_to("Heater").press(&[Press::Enter]);
    model.go_to("max_temp_c").press(&[Press::Enter, Press::Ctrl('u')]);
    model.shows(&["New value (°C)", "goes off above", "Default: 22.0 °C. Now: the default"]);
    for (text, verdict) in
        [("8", "Allowed"), ("80", "Allowed"), ("800", "\"800\" is not allowed; allowed: a number from 0 to 80 °C")]
    {
        model.press(&[Press::Ctrl('u')]);
        model.type_in(text);
        model.shows(&[verdict]);
    }
    model.press(&[Press::Enter]);
    model.shows(&["Not accepted", "New value"]);
    model.press(&[Press::Esc]);
    assert_eq!(model.pending(), [], "Esc changes nothing");
}

#[test]
fn contradictions_are_shown_where_they_are_and_keep_from_saving() {
    let mut model = model(&[], &[]);
    model.go_to("Heater").press(&[Press::Enter]);
    model.go_to("min_temp_c").press(&[Press::Enter, Press::Ctrl('u')]);
    model.type_in("30");
    model.press(&[Press::Enter]);
    model.shows(&["min_temp_c  30 °C  PROBLEM", "max_temp_c  22.0 °C  PROBLEM", "must be at least 0.5 °C above"]);
    assert!(matches!(model.press(&[Press::Char('s'), Press::Char('s')]), Effect::None), "it cannot be saved");
    model.shows(&["Must be mended first", "Not saved: the settings do not fit together"]);
    model.go_to("heating_control.max_temp_c").press(&[Press::Enter, Press::Ctrl('u')]);
    model.type_in("35");
    model.press(&[Press::Enter]);
    assert!(matches!(model.press(&[Press::Char('s')]), Effect::Commit(changes) if changes.len() == 2));
}

#[test]
fn space_switches_and_the_default_comes_back() {
    let mut model = model(&[("humidity_control.enabled", "yes")], &[]);
    model.go_to("Fan").press(&[Press::Enter, Press::Char(' ')]);
    assert_eq!(model.pending(), [("humidity_control.enabled".to_owned(), Some("false".to_owned()))]);
    model.press(&[Press::Char(' ')]);
    assert_eq!(model.pending(), [], "yes and true are the same");
    model.press(&[Press::Char('d')]);
    assert_eq!(model.pending(), [("humidity_control.enabled".to_owned(), None)]);
    model.press(&[Press::Char('s')]);
    model.shows(&["humidity_control.enabled  yes -> false"]);
    model.go_to("humidity_control").press(&[Press::Char('u')]);
    assert_eq!(model.pending(), []);
}

#[test]
fn what_the_environment_sets_is_said() {
    let mut model = model(&[("queue.max_size", "200")], &[("FILAMENTBOX_QUEUE__MAX_SIZE", "300")]);
    model.go_to("History").press(&[Press::Enter]);
    model.go_to("queue.max_size");
    model.shows(&[
        "queue.max_size  300 points  environment",
        "FILAMENTBOX_QUEUE__MAX_SIZE in the environment",
        "Saved here: 200 points.",
    ]);
    model.press(&[Press::Enter]);
    model.shows(&["New value (points): 200"]);
}

#[test]
fn tags_are_added_renamed_and_deleted() {
    let mut model = model(&[("data_collection.tags.old", "x")], &[]);
    model.go_to("Readings").press(&[Press::Enter]);
    model.go_to("tags").press(&[Press::Enter, Press::Char('a')]);
    model.type_in("old");
    model.shows(&["old is there already"]);
    model.press(&[Press::Enter, Press::Ctrl('u')]);
    model.type_in("Shelf q");
    model.press(&[Press::Enter, Press::Enter]);
    model.shows(&["a value is needed"]);
    model.type_in("top, left");
    model.press(&[Press::Enter]);
    model.shows(&["Shelf q  top, left  changed", "old  x"]);
    model.go_to("old").press(&[Press::Char('n'), Press::Ctrl('u')]);
    model.type_in("new");
    model.press(&[Press::Enter]);
    model.shows(&["new  x  changed"]);
    model.go_to("Shelf q").press(&[Press::Char('x')]);
    let tag = |name: &str, text: Option<&str>| (format!("data_collection.tags.{name}"), text.map(str::to_owned));
    assert_eq!(model.pending(), [tag("new", Some("x")), tag("old", None)]);
}

#[test]
fn search_finds_keys_descriptions_and_values_but_no_secret() {
    let stored = [("alerts.webhook_url", "https://hooks/t0ps3cret"), ("data_collection.tags.place", "attic")];
    for (words, expected, is_there) in [
        ("read inter", "data_collection.read_interval", true),
        ("goes off above", "heating_control.max_temp_c", true),
        ("attic", "data_collection.tags.place", true),
        ("t0ps3cret", "alerts.webhook_url", false),
        ("qqq", "Nothing has all", true),
    ] {
        let mut model = model(&stored, &[]);
        model.press(&[Press::Char('/')]);
        model.type_in(words);
        assert_eq!(model.text().contains(expected), is_there, "{words}:\n{}", model.text());
    }
    let mut model = model(&stored, &[]);
    model.press(&[Press::Char('/')]);
    model.type_in("read_interval");
    model.press(&[Press::Enter, Press::Ctrl('u'), Press::Char('9'), Press::Enter]);
    assert_eq!(model.pending(), [("data_collection.read_interval".to_owned(), Some("9".to_owned()))]);
    model.shows(&["Search: read_interval"]);
}

#[test]
fn no_secret_is_ever_on_a_page() {
    let secret = "gehe1m-t0ken";
    let stored = [
        ("database.type", "influxdb_v2"),
        ("database.influxdb_v2.token", secret),
        ("database.influxdb_v2.org", "o"),
        ("database.influxdb_v2.bucket", "b"),
        ("database.influxdb_v2.tokn", secret),
        ("unknown.key", secret),
    ];
    let mut model = model(&stored, &[("FILAMENTBOX_ALERTS__WEBHOOK_URL", secret)]);
    let enter = || Press::Enter;
    let walks: &[&[Press]] = &[
        &[enter(), enter()],
        &[Press::Esc, Press::Esc, Press::Down, enter()],
        &[Press::End, Press::Up, Press::Up, Press::Up, Press::Up, enter(), Press::Char('s'), enter()],
        &[Press::Ctrl('c')],
    ];
    for press in walks.iter().copied().flatten() {
        model.update(press);
        assert!(!model.text().contains(secret), "{}", model.text());
    }
    let mut model = self::model(&stored[..4], &[]);
    model.press(&[enter()]);
    model.go_to("token").press(&[enter()]);
    model.shows(&["New value:  | Empty: what is stored stays as it is"]);
    model.press(&[enter()]);
    assert_eq!(model.pending(), [], "nothing typed, nothing changed");
    model.go_to("token").press(&[enter()]);
    model.update(&Press::Paste(format!("{secret}2\n")));
    model.shows(&["New value: *************"]);
    model.update(&Press::Function(2));
    model.shows(&["gehe1m-t0ken2"]);
    model.press(&[Press::Ctrl('r'), enter(), Press::Char('s')]);
    model.shows(&["******** -> ******** (another one)"]);
    assert!(!model.text().contains(secret));
    assert_eq!(format!("{:?}", Press::Paste(secret.to_owned())), "a key");
}

#[test]
fn what_is_not_allowed_is_listed_first_and_can_be_mended() {
    let stored = [("data_collection.read_intervall", "7"), ("queue.max_size", "7"), ("something.else", "1")];
    let mut model = model(&stored, &[]);
    assert!(model.selected().starts_with("Needs attention  3 stored"), "{}", model.selected());
    model.press(&[Press::Enter, Press::Enter]);
    model.shows(&["Rename it to  data_collection.read_interval"]);
    model.press(&[Press::Enter]);
    model.go_to("queue.max_size").press(&[Press::Enter]);
    model.shows(&["Change its value", "a whole number from 100 to 100000 points"]);
    model.press(&[Press::Enter, Press::Ctrl('u')]);
    model.type_in("500");
    model.press(&[Press::Enter]);
    model.go_to("something.else").press(&[Press::Enter]);
    model.shows(&["Remove it"]);
    model.press(&[Press::Enter]);
    model.shows(&["Everything stored is allowed now"]);
    let change = |key: &str, text: Option<&str>| (key.to_owned(), text.map(str::to_owned));
    let expected = [
        change("data_collection.read_interval", Some("7")),
        change("data_collection.read_intervall", None),
        change("queue.max_size", Some("500")),
        change("something.else", None),
    ];
    assert_eq!(model.pending(), expected);
    assert!(matches!(model.press(&[Press::Char('s'), Press::Char('s')]), Effect::Commit(_)));
}

#[test]
fn what_is_wrong_elsewhere_does_not_keep_from_saving() {
    let mut model = model(&[("un.known", "1")], &[("FILAMENTBOX_QUEUE__MAX_SIZE", "many")]);
    model.go_to("Heater").press(&[Press::Enter, Press::Char(' '), Press::Char('s')]);
    model.shows(&["Still to be mended: no daemon starts like this", "un.known", "queue.max_size"]);
    assert!(model.selected().starts_with("Save 1 change"), "{}", model.selected());
    model.go_to("queue.max_size").press(&[Press::Enter]);
    model.shows(&["New value", "set by FILAMENTBOX_QUEUE__MAX_SIZE in the environment", "mended there"]);
    model.press(&[Press::Esc]);
    model.go_to("un.known").press(&[Press::Enter]);
    model.shows(&["Remove it"]);
    model.press(&[Press::Esc]);
    assert!(matches!(model.press(&[Press::Char('s')]), Effect::Commit(changes) if changes.len() == 1));
}

#[test]
fn a_rename_is_offered_only_where_it_helps() {
    for (stored, is_offered) in [
        (vec![("queue.max_sise", "500")], true),
        (vec![("queue.max_sise", "5")], false),
        (vec![("queue.max_sise", "500"), ("queue.max_size", "600")], false),
        (vec![("nothing.like.it", "500")], false),
    ] {
        let mut model = model(&stored, &[]);
        model.press(&[Press::Enter, Press::Enter]);
        assert_eq!(model.text().contains("Rename it"), is_offered, "{stored:?}:\n{}", model.text());
    }
}

#[test]
fn what_another_program_saved_meanwhile_is_not_overwritten() {
    let mut model = model(&[("queue.max_size", "200")], &[]);
    model.press(&[Press::Char('/')]);
    model.type_in("queue.max_size");
    model.press(&[Press::Enter, Press::Ctrl('u'), Press::Char('9'), Press::Char('0'), Press::Char('0'), Press::Enter]);
    model.press(&[Press::Esc]);
    assert!(matches!(model.press(&[Press::Char('s'), Press::Char('s')]), Effect::Commit(_)));
    model.committed(Committed::ChangedMeanwhile { stored: owned(&[("queue.max_size", "300")]) });
    model.shows(&["another program changed queue.max_size meanwhile", "queue.max_size  300 points -> 900 points"]);
    assert_eq!(model.values.stored_all(), owned(&[("queue.max_size", "300")]), "the next try expects what is there");
    model.committed(Committed::ChangedMeanwhile { stored: owned(&[("queue.max_size", "+900")]) });
    assert_eq!(model.pending(), [], "what is stored already is no change");
}

#[test]
fn leaving_asks_while_something_is_not_saved() {
    let mut model = model(&[], &[]);
    assert!(matches!(model.press(&[Press::Esc]), Effect::Quit), "nothing changed, nothing asked");
    model.go_to("Heater").press(&[Press::Enter, Press::Char(' '), Press::Ctrl('c')]);
    model.shows(&["1 change not saved", "Discard them and quit"]);
    for again in [Press::Ctrl('c'), Press::Char('q')] {
        assert!(matches!(model.press(&[again]), Effect::None), "a second time throws nothing away");
    }
    model.press(&[Press::Esc]);
    model.shows(&["enabled  true  changed"]);
    model.press(&[Press::Char('q')]);
    assert!(matches!(model.press(&[Press::Char('d')]), Effect::Quit));
    assert_eq!(model.pending(), []);
}

#[test]
fn letters_are_text_where_text_is_typed() {
    let mut model = model(&[], &[]);
    model.press(&[Press::Char('/')]);
    model.type_in("q?/s");
    model.shows(&["Search: q?/s"]);
    model.press(&[Press::Esc]);
    model.press(&[Press::Char('?')]);
    model.shows(&["Ctrl-L", "config set KEY VALUE"]);
    model.press(&[Press::Char('?')]);
    model.shows(&["Database"]);
    assert!(matches!(model.press(&[Press::Ctrl('z')]), Effect::Suspend));
}
