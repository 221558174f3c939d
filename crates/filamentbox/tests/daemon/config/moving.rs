//! `config export` and `config import`.

use super::Installation;

#[test]
fn an_export_is_imported_elsewhere_as_it_was() {
    let (from, to) = (Installation::new(), Installation::new());
    from.ask(&["set", "heating_control.max_temp_c", "45.0", "database.influxdb_v2.token", "it's \"quoted\" # ü"]);
    from.ask(&["set", "data_collection.tags.Shelf 2.a", "oben, links", "heating_control.enabled", "yes"]);
    let page = from.ask(&["export"]);
    assert!(
        page.contains("max_temp_c = 45.0  # °C") && page.contains("# token = ...") && !page.contains("quoted"),
        "{page}"
    );
    let done = from.config(&["export", "--with-secrets"]);
    assert!(done.complained.contains("1 secret(s)"), "{}", done.complained);
    let done_import = to.config_with(&done.said, &["import", "-"]);
    assert_eq!(done_import.code, 0, "{}", done_import.complained);
    assert!(!done_import.said.contains("quoted"), "{}", done_import.said);
    let reveal = ["list", "--changed", "--reveal"];
    assert_eq!(to.ask(&reveal), from.ask(&reveal));
    assert_eq!(to.ask(&["export", "--with-secrets"]), done.said);
}

#[test]
fn a_dry_run_tells_and_changes_nothing() {
    let place = Installation::new();
    place.ask(&["set", "history.max_mb", "32"]);
    let text = "history.max_mb = 48\ndatabase.type = ['influxdb_v2', \"victoriametrics\"]\n\
        [database.influxdb_v2]\norg = 'home'\nbucket = 'b'\ntoken = 'hunter2'\n";
    let file = place.write("settings.toml", text);
    let before = place.files();
    let said = place.ask(&["import", &file, "--dry-run"]);
    let words = ["history.max_mb: 32 (store) -> 48", "token: not set -> ********", "nothing was changed"];
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
    assert_eq!(place.files(), before);
    place.ask(&["import", &file]);
    assert_eq!(place.ask(&["get", "database.type"]).trim(), "influxdb_v2,victoriametrics");
    assert_eq!(place.ask(&["get", "history.max_mb"]).trim(), "48");
}

#[test]
fn every_problem_is_placed_and_nothing_is_imported() {
    let place = Installation::new();
    let one = place.write("one.toml", "[heating_control]\nmin_temp_c = 43\nmax_temp = 45\n\n[sensor]\ntype = 5\n");
    let words = [
        "3 problem(s)",
        "one.toml:2: heating_control.min_temp_c",
        "one.toml:3: heating_control.max_temp: unknown key",
        "one.toml:6: sensor.type",
    ];
    place.assert_refused(&["import", &one], &words);
    let broken = place.write("broken.toml", "a = \n[b\nc = [{d = 1}]\n");
    place.assert_refused(&["import", &broken], &["broken.toml:1:", "broken.toml:2:"]);
    let lists = place.write("lists.toml", "a = [{d = 1}]\nb = ['x,y']\n");
    place.assert_refused(&["import", &lists], &["lists.toml:1: a: a table", "lists.toml:2: b: a comma"]);
    place.assert_refused(&["import", "settings.ini"], &["settings.ini", "cannot be read"]);
    let done = place.config(&["import", &place.path("none.toml").display().to_string()]);
    assert!(done.code == 1 && done.complained.contains("none.toml"), "{}", done.complained);
}

#[test]
fn of_two_files_the_later_one_counts() {
    let place = Installation::new();
    let (one, two) = (place.write("1.toml", "history.max_mb = 32\n"), place.write("2.toml", "history.max_mb = 48\n"));
    let said = place.ask(&["import", &one, &two]);
    assert!(said.contains("1.toml:1: history.max_mb: the value at") && said.contains("2.toml:1"), "{said}");
    assert_eq!(place.ask(&["get", "history.max_mb"]).trim(), "48");
}
