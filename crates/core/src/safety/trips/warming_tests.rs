use super::*;

const TARGET_C: f64 = 40.0;

fn at(seconds: u64) -> Monotonic {
    Monotonic::ZERO + Duration::from_secs(seconds)
}

fn celsius(degrees: f64) -> Celsius {
    Celsius::new(degrees).expect("in range")
}

/// The heater's watcher with a clock.
struct Watch {
    warming: Warming,
    second: u64,
    tripped: Option<Trip>,
}

impl Watch {
    fn new() -> Self {
        Self { warming: Warming::new(&SafetyConfig::default(), at(0)), second: 0, tripped: None }
    }

    /// Readings every 10 s until `second`: `temperature_c`.
    fn read(&mut self, second: u64, temperature_c: f64) -> &mut Self {
        self.read_for(second, temperature_c, TARGET_C)
    }

    fn read_for(&mut self, second: u64, temperature_c: f64, target_c: f64) -> &mut Self {
        while self.second < second {
            self.second += 10;
            self.warming.pass(at(self.second));
            let trip = self.warming.reading(at(self.second), celsius(temperature_c), target_c);
            self.tripped = self.tripped.take().or(trip);
        }
        self
    }

    fn on(&mut self) -> &mut Self {
        self.warming.line(at(self.second), true);
        self
    }

    fn off(&mut self) -> &mut Self {
        self.warming.line(at(self.second), false);
        self
    }

    /// `-` nothing, `d` a doubt, `f` a first failure, `T` tripped.
    fn state(&self) -> char {
        match (&self.tripped, self.warming.rest()) {
            (Some(_), _) => 'T',
            (None, Some(Inhibit::NotWarming { .. })) => 'f',
            (None, Some(_)) => 'd',
            (None, None) => '-',
        }
    }

    #[track_caller]
    fn is(&mut self, state: char) -> &mut Self {
        assert_eq!(self.state(), state, "after {} s: {:?}", self.second, self.warming);
        self
    }
}

/// Off for 200 s, then on: rested.
fn rested() -> Watch {
    let mut watch = Watch::new();
    watch.read(200, 20.0).on();
    watch
}

#[test]
fn both_sides_of_rise_and_time() {
    rested().read(370, 20.0).is('-').read(380, 20.0).is('f');
    rested().read(370, 20.0).read(380, 21.49).is('f');
    rested().read(370, 20.0).read(380, 21.5).is('-').read(9000, 21.5).is('-');
    // From the lowest since it went on.
    rested().read(300, 19.0).read(370, 20.49).read(380, 20.49).is('f');
    rested().read(300, 19.0).read(370, 20.5).read(380, 20.5).is('-');
}

#[test]
fn near_its_target_a_heater_owes_nothing() {
    rested().read_for(9000, 20.0, 23.0).is('-');
    rested().read_for(380, 20.0, 23.01).is('f');
    // Until it falls away from it, or is asked for more.
    rested().read_for(1000, 20.0, 22.0).read_for(1170, 18.9, 22.0).is('-').read_for(1180, 18.9, 22.0).is('f');
    rested().read_for(1000, 20.0, 22.0).read_for(1170, 20.0, 70.0).is('-').read_for(1180, 20.0, 70.0).is('f');
}

#[test]
fn the_second_failure_in_a_row_trips_and_a_proof_forgets_the_first() {
    let mut watch = rested();
    watch.read(380, 20.0).is('f').off();
    assert_eq!(watch.warming.rest_ends_at(), Some(at(980)));
    watch.read(970, 20.0).is('f').read(980, 20.0).is('-').on().read(1150, 20.0).is('-').read(1160, 20.0).is('T');
    let evidence = watch.tripped.expect("tripped").evidence;
    assert_eq!(evidence, "20.00 °C rose to 20.00 °C in 180 s of heat, 1.5 °C in 180 s are expected");

    let mut watch = rested();
    watch.read(380, 20.0).is('f').off().read(980, 20.0).on().read(1100, 22.0).off().read(1400, 20.0).on();
    watch.read(1580, 20.0).is('f');
}

#[test]
fn without_a_pause_before_it_a_missing_rise_is_a_doubt_that_a_pause_settles() {
    let mut watch = Watch::new();
    watch.read(170, 20.0).on().read(350, 20.0).is('d').off();
    assert_eq!(watch.warming.rest_ends_at(), Some(at(350 + 180)));
    watch.read(520, 20.0).is('d').read(530, 20.0).is('-').on().read(710, 20.0).is('f');
    let mut watch = Watch::new();
    watch.read(180, 20.0).on().read(360, 20.0).is('f');
}

#[test]
fn a_fall_while_on_is_a_new_proof() {
    let mut watch = rested();
    watch.read(300, 30.0).read(9000, 28.5).is('-');
    watch.read(9010, 28.49).read(9180, 28.49).is('-').read(9190, 28.49).is('d');
    let mut watch = rested();
    watch.read(300, 30.0).read(400, 28.4).read(410, 29.9).read(9000, 29.9).is('-');
}

#[test]
fn a_short_pause_is_a_part_of_the_stretch() {
    let mut watch = rested();
    watch.read(300, 22.0).off().read(470, 20.5).on().read(9000, 20.5).is('-');
    // Who fell out of the box meanwhile has to feel the heater again.
    let mut watch = rested();
    watch.read(300, 22.0).off().read(470, 20.0).on().read(480, 20.0).read(650, 20.0).is('-').read(660, 20.0).is('d');
    let mut watch = rested();
    watch.read(300, 22.0).off().read(480, 20.0).on().read(660, 20.0).is('f');
    // Only the time with heat counts.
    let mut watch = rested();
    watch.read(300, 20.0).off().read(400, 20.0).on().read(470, 20.0).is('-').read(480, 20.0).is('f');
}

#[test]
fn a_line_that_does_not_go_off_is_waited_for() {
    let mut watch = rested();
    watch.read(380, 20.0).is('f');
    assert_eq!(watch.warming.rest_ends_at(), None);
    watch.read(2000, 20.0).is('f').off().read(2590, 20.0).is('f').read(2600, 20.0).is('-');
}

#[test]
fn a_reset_forgives() {
    let mut watch = rested();
    watch.read(380, 20.0).off().warming.forgive();
    watch.is('-').read(600, 20.0).on().read(780, 20.0).is('f');
}

#[test]
fn an_hour_in_which_the_daemon_was_stopped_is_no_hour_of_heat() {
    let mut watch = rested();
    watch.read(300, 20.0);
    watch.second = 3900;
    watch.read(3910, 20.0).is('-').read(3960, 20.0).is('-').read(3980, 20.0).is('f');
}
