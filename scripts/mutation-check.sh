#!/usr/bin/env bash
# Breaks one rule of the interlock or of the relay guard's judge after the other, in copies of the sources, and runs the simulated
# world against each: a rule whose loss nobody notices is not tested. Fails when a mutant survives, when a mutation no longer
# applies to the source or does not compile, and when the world fails without any mutation.
#
#   scripts/mutation-check.sh [PATTERN]     only the mutants whose name matches
set -euo pipefail
cd "$(dirname "$0")/.."

home=$PWD/target/mutants
# Each core has a copy of its own.
lanes=$(nproc)
# Longer than the whole world takes on a busy machine: a mutant that spins is noticed too.
limit_s=300
# One small failure is for people; here the first one is enough.
export CARGO_INCREMENTAL=1 CARGO_TERM_COLOR=never CARGO_BUILD_JOBS=1 FILAMENTBOX_SIM_SHRINK=0
# A little optimised: the world is computed more than it is compiled.
profile=(--config profile.dev.opt-level=1 --config profile.dev.debug=false)

# name | file below crates/ | what perl makes of it (-0: the file is one string)
mutants() {
    sed '/^ *#/d;/^ *$/d' <<'LIST'
# The interlock: a reading's age and temperature, the cold, the sensor's range.
stale-not-checked | core/src/safety/interlock.rs | s/> limits\.max_sample_age \{/> limits.max_sample_age * 1000 {/
stale-limit-x10 | core/src/safety/interlock.rs | s/limits\.max_sample_age/(limits.max_sample_age * 10)/g
cut-off-not-checked | core/src/safety/interlock.rs | s/if reaches_cut_off_at <= now/if false \&\& reaches_cut_off_at <= now/
cut-off-2-degrees-late | core/src/safety/interlock.rs | s/self\.limits\.max_temp_c - temperature/self.limits.max_temp_c + 2.0 - temperature/
age-not-projected | core/src/safety/interlock.rs | s/margin_c \/ self\.limits\.slew_c_per_s/if margin_c > 0.0 { 1e6 } else { 0.0 }/
permit-outlives-reading | core/src/safety/interlock.rs | s/reaches_cut_off_at\.min\(stale_at\)/reaches_cut_off_at.max(stale_at)/
cold-not-checked | core/src/safety/interlock.rs | s/if temperature\.degrees\(\) < COLD_C/if false \&\& temperature.degrees() < COLD_C/
cold-always-allowed | core/src/safety/interlock.rs | s/&& !limits\.allow_cold/\&\& limits.allow_cold/
range-not-checked | core/src/safety/interlock.rs | s/\.filter\(\|end\| !is_seen_by\(cut_off_c, \*end\)\)/.filter(|end| false \&\& !is_seen_by(cut_off_c, *end))/
range-without-margin | core/src/safety/range.rs | s/SENSOR_RANGE_MARGIN_C: f64 = 2\.0/SENSOR_RANGE_MARGIN_C: f64 = -20.0/
rest-not-checked | core/src/safety/interlock.rs | s/= on_time\.resting_until\(\)/= on_time.resting_until().filter(|_| false)/
# On-time and rest.
on-time-x10 | core/src/safety/on_time.rs | s/self\.used >= self\.max_on_time/self.used >= self.max_on_time * 10/
rest-of-a-second | core/src/safety/on_time.rs | s/from_secs\(600\)/from_secs(1)/
pauses-do-not-give-back | core/src/safety/on_time.rs | s/saturating_sub\(elapsed\)/saturating_sub(elapsed \/ 1000)/
# Which readings are believed, and when a sensor is.
leaps-believed | core/src/safety/plausibility.rs | s/\(change_c > allowed_c\)/(change_c > 100.0 * allowed_c)/
jumps-believed | core/src/safety/plausibility.rs | s/JUMP_MAX_C: f64 = 20\.0/JUMP_MAX_C: f64 = 200.0/
rejects-without-limit | core/src/safety/plausibility.rs | s/row\.in_a_row >= REJECTED_IN_A_ROW \|\|/row.in_a_row >= 10 * REJECTED_IN_A_ROW ||/
hot-rejects-heat | core/src/safety/plausibility.rs | s/\|\| is_hot\(row\)/|| (false \&\& is_hot(row))/
new-level-at-once | core/src/safety/plausibility.rs | s/if agreeing >= REJECTED_IN_A_ROW/if agreeing >= 1/
recovery-at-once | core/src/safety/recovery.rs | s/GOOD_IN_A_ROW: u32 = 3/GOOD_IN_A_ROW: u32 = 1/
recovery-in-no-time | core/src/safety/recovery.rs | s/GOOD_FOR: Duration = Duration::from_secs\(10\)/GOOD_FOR: Duration = Duration::from_secs(0)/
recovery-not-in-a-row | core/src/safety/recovery.rs | s/if self\.row\.is_some\(\) \{/if false \&\& self.row.is_some() {/
loss-not-noticed | core/src/safety/recovery.rs | s/if self\.last_good\.is_some_and/if false \&\& self.last_good.is_some_and/
# The watchers: frozen sensor, box that does not warm, box that warms while off.
frozen-never | core/src/safety/trips/frozen.rs | s/\(run\.readings >= limit\.readings/(run.readings >= 1000 * limit.readings/
frozen-x10 | core/src/safety/trips/frozen.rs | s/time >= limit\.time/time >= limit.time * 10/
not-warming-never | core/src/safety/trips/warming.rs | s/heated >= self\.rise_time/heated >= self.rise_time * 1000/g
not-warming-x3 | core/src/safety/trips/warming.rs | s/heated >= self\.rise_time/heated >= self.rise_time * 3/g
not-warming-never-latches | core/src/safety/trips/warming.rs | s/FAILURES_MAX: u32 = 2/FAILURES_MAX: u32 = 200/
not-warming-latches-at-once | core/src/safety/trips/warming.rs | s/FAILURES_MAX: u32 = 2/FAILURES_MAX: u32 = 1/
any-rise-is-a-proof | core/src/safety/trips/warming.rs | s/temperature\.above\(from\) >= self\.rise_c/temperature.above(from) >= self.rise_c \/ 100.0/
peaks-forgotten-in-pauses | core/src/safety/trips/warming.rs | s/            owed => owed,/            Proof::Given { .. } => Proof::Given { peak: None },\n            owed => owed,/
peaks-not-kept | core/src/safety/trips/warming.rs | s/highest\.above\(temperature\) > self\.rise_c/highest.above(temperature) > 1000.0 * self.rise_c/
no-pause-after-a-failure | core/src/safety/trips/warming.rs | s/length = REST\.max\(self\.rise_time\)/length = Duration::from_secs(1)/
stuck-relay-never | core/src/safety/trips/stuck.rs | s/(\.or_else\(\|\| self\.rises\(at, off_since, temperature\)\))\?/$1.filter(|_| false)?/
stuck-relay-late | core/src/safety/trips/stuck.rs | s/COOLS_WITHIN: Duration = Duration::from_secs\(720\)/COOLS_WITHIN: Duration = Duration::from_secs(7200)/
stuck-relay-hot-not-checked | core/src/safety/trips/stuck.rs | s/\.or_else\(\|\| self\.is_too_hot\(off, temperature\)\)//
stuck-relay-rise-not-checked | core/src/safety/trips/stuck.rs | s/\.or_else\(\|\| self\.rises\(at, off_since, temperature\)\)//
stuck-relay-before-it-settles | core/src/safety/trips/stuck.rs | s/SETTLES_FOR: Duration = Duration::from_secs\(180\)/SETTLES_FOR: Duration = Duration::from_secs(1)/
median-of-one | core/src/safety/trips/median.rs | s/Some\(a\.min\(b\)\.max\(a\.max\(b\)\.min\(c\)\)\)/{ let _ = (a, b); Some(c) }/
# The fan that a heater requires.
fan-not-required | core/src/safety/fan.rs | s/if !self\.required \{\n\s*return Ok\(\(\)\);/if true {\n return Ok(());/
fan-without-lead | core/src/safety/fan.rs | s/LEAD: Duration = Duration::from_secs\(5\)/LEAD: Duration = Duration::from_secs(0)/
fan-stops-with-the-heat | core/src/safety/fan.rs | s/AFTER: Duration = Duration::from_secs\(60\)/AFTER: Duration = Duration::from_secs(0)/
fan-off-by-hand-ignored | core/src/safety/fan.rs | s/if off_by_hand/if false \&\& off_by_hand/
# The chamber's composition: safety first, then the wish, then the minimum times.
distrust-ignored | core/src/chamber.rs | s/(if let Some\(leap\) = self\.plausibility\.distrust\(self\.config\.safety\.max_temp_c\))/$1.filter(|_| false)/
doubt-ignored | core/src/chamber.rs | s/if let Some\(doubt\) = self\.recovery\.doubt\(\)/if let Some(doubt) = self.recovery.doubt().filter(|_| false)/
pause-ignored | core/src/chamber.rs | s/if let Some\(why\) = self\.trips\.rest\(\)/if let Some(why) = self.trips.rest().filter(|_| false)/
stop-does-not-latch | core/src/chamber.rs | s/Input::Stop => self\.stopping = true/Input::Stop => {}/
minimum-on-delays-safety | core/src/chamber.rs | s/on: false, urgency: Urgency::OffAtOnce, reason \}\);/on: false, urgency: Urgency::Controller, reason });/
safety-off-forgotten | core/src/chamber.rs | s/Wished \{ on: false, urgency: Urgency::OffAtOnce, reason \}\);/Wished { on: wished.on, urgency: Urgency::OffAtOnce, reason });/
on-time-not-counted | core/src/chamber.rs | s/self\.on_time\.count\((clock\.now|now), [^)]*\)/self.on_time.count($1, false)/g
watchers-not-told-of-the-line | core/src/chamber.rs | s/self\.trips\.line\(now, held\.heater\.active\);//
sensor-not-introduced | core/src/chamber.rs | s/self\.interlock\.sensor\(traits\);//
no-wake-at-expiry | core/src/chamber.rs | s/permit\.expires_at\(\)\),/permit.expires_at() + Duration::from_secs(3600)),/
refusal-without-event | core/src/chamber.rs | s/\.filter\(\|_\| !known\)/.filter(|_| false \&\& !known)/
output-without-event | core/src/chamber.rs | s/if changed \|\| newly_refused/if newly_refused/
rejected-readings-count | core/src/chamber/readings.rs | s/(self\.reject\(clock, leap, events\);)\n\s*None/$1 Some(self.accept(clock, reading, events))/
watchers-not-asked | core/src/chamber/readings.rs | s/self\.watch\(clock, &reading, events\);//
minimum-on-delays-a-hand | core/src/chamber/output.rs | s/Wished \{ on, urgency: Urgency::OffAtOnce/Wished { on, urgency: Urgency::Controller/
override-without-end | core/src/chamber/overrides.rs | s/until\(hold\.or\(Some\(longest\)\)\)/until(hold.or(Some(longest * 10)))/
override-of-any-length | core/src/chamber/overrides.rs | s/hold\.filter\(\|hold\| \*hold > longest\)/hold.filter(|hold| *hold > longest * 10)/
override-never-ends | core/src/chamber/overrides.rs | s/output\.mode\.has_ended\(clock\.now\)/false \&\& output.mode.has_ended(clock.now)/
minimum-off-ignored | core/src/actuate.rs | s/until\(self\.min_off\)/until(std::time::Duration::ZERO)/
# Settings that change.
new-limits-not-judged-by | core/src/chamber/settings.rs | s/self\.interlock\.configure\(safety\);//
new-on-time-not-counted | core/src/chamber/settings.rs | s/self\.on_time\.configure\(safety\.max_on_time\);//
override-not-cut | core/src/chamber/settings.rs | s/until\.min\(latest\)/until/
calibration-forgets-nothing | core/src/chamber/settings.rs | s/self\.recovery\.lose\(\);//
heater-that-goes-stays-on | core/src/chamber/output.rs | s/self\.release\(now, NOT_CONFIGURED\);//
# Faults and latches.
faults-do-not-latch | core/src/chamber/latches.rs | s/self\.fault = Some\(fault\);//
trips-do-not-latch | core/src/chamber/latches.rs | s/self\.raised\.push\(trip\);//
trips-are-not-told | core/src/chamber/latches.rs | s/let text = format!\("heat is off until a reset: [^;]*;\s*events\.push\([^;]*;//
trips-do-not-reach-the-guard | core/src/chamber/latches.rs | s/self\.raised\.first\(\)\.map\(\|trip\| trip\.reason\)\.filter\(\|_\| !confirmed\)/{ let _ = confirmed; None }/
guards-latches-ignored | core/src/chamber/latches.rs | s/if let Some\(reason\) = self\.heater\.held\.latched \{/if let (Some(reason), true) = (self.heater.held.latched, false) {/
guards-latches-are-not-told | core/src/chamber/latches.rs | s/faults\(&self\) -> Vec<String> \{/faults(\&self) -> Vec<String> { if self.raised.is_empty() { return self.fault.clone().into_iter().collect(); }/
reset-clears-nothing | core/src/chamber/latches.rs | s/self\.raised\.clear\(\);//
box-is-not-cooled | core/src/chamber/latches.rs | s/LatchReason::RelayStuck \| LatchReason::OverTemperature\)/LatchReason::LineFault)/
# The relay guard's judge.
lease-without-end | guard/src/judge.rs | s/came\.plus\(self\.limits\.lease\)/came.plus(self.limits.lease * 10)/g
lease-is-not-ended | guard/src/judge.rs | s/(fn end_lease\(&mut self, now: Nanos\) \{\s*)self\.lease = None;/$1/
guard-age-not-checked | guard/src/judge.rs | s/self\.limits\.max_sample_age\.checked_sub/(self.limits.max_sample_age * 100).checked_sub/
guard-age-not-projected | guard/src/judge.rs | s/(below \* 1_000_000_000)/(below * 1_000_000_000_000)/
guard-no-cut-off | guard/src/judge.rs | s/i64::from\(self\.limits\.cut_off_milli_c\)/i64::from(self.limits.cut_off_milli_c * 2)/
guard-on-time-x10 | guard/src/judge.rs | s/max_on_time\.saturating_sub/(max_on_time * 10).saturating_sub/
guard-forgets-on-time | guard/src/judge.rs | s/\.saturating_add\(active_for\)//
guard-rest-of-a-second | guard/src/judge.rs | s/now\.since\(self\.since\) >= rest/now.since(self.since).saturating_mul(600) >= rest/
guard-sleeps-too-long | guard/src/judge.rs | s/into_iter\(\)\.map\(\|\(end, _\)\| end\)\.min\(\)/into_iter().map(|(end, _)| end.plus(Duration::from_secs(5))).min()/
guard-over-temperature-no-latch | guard/src/judge.rs | s/want\.latch\.or\(over\.then_some\(Latch::OverTemperature\)\)/{ let _ = over; want.latch }/
guard-daemons-latch-ignored | guard/src/judge.rs | s/want\.latch\.or\(over/None.or(over/
guard-latch-does-not-hold | guard/src/judge.rs | s/if line\.latch\.is_some\(\) \{/if line.latch.is_some() \&\& false {/
guard-reset-clears-nothing | guard/src/judge.rs | s/line\.latch = None/{ let _ = line; }/
LIST
}

prepare() { # LANE
    mkdir -p "$home/$1/tree"
    rm -rf "$home/$1/tree/crates"
    # With new dates, or what an earlier run built from a mutant would pass for built from these.
    cp -r Cargo.toml Cargo.lock crates "$home/$1/tree"
    mkfifo "$home/$1/pipe" 2>/dev/null || true
}

# Prints the path of the test program.
build() { # LANE
    (cd "$home/$1/tree" && CARGO_TARGET_DIR=$home/$1/build cargo test --locked --quiet "${profile[@]}" -p filamentbox-core --test sim \
        --no-run --message-format=json 2>"$home/$1/build.log") | sed -n 's/.*"executable":"\([^"]*\/sim-[^"]*\)".*/\1/p' | tail -1
}

# Runs the world, without the delivery of samples, which no rule touches, up to the first failure. Prints the test that failed,
# nothing when all is well.
run() { # LANE PROGRAM
    timeout "$limit_s" "$2" --skip delivery:: --test-threads 1 >"$home/$1/pipe" 2>/dev/null &
    local program=$! line
    line=$(grep -m1 -E ' FAILED$|^test result: ok' <"$home/$1/pipe") || true
    kill "$program" 2>/dev/null || true
    wait "$program" 2>/dev/null || true
    case $line in
    "test result: ok"*) ;;
    "") echo "no end in $limit_s s" ;;
    *) sed 's/^test \(.*\) \.\.\. FAILED$/\1/' <<<"$line" ;;
    esac
}

check() { # LANE NAME FILE CHANGE
    local lane=$1 name=$2 file=$3 source=$home/$1/tree/crates/$3 began=$SECONDS outcome program found
    perl -0pi -e "$4" "$source"
    if cmp -s "crates/$file" "$source"; then
        outcome="NOT APPLICABLE: mend the mutation or take it out"
    elif ! program=$(build "$lane") || [[ -z $program ]]; then
        outcome="NOT COMPILED: $(grep -m1 '^error' "$home/$lane/build.log")"
    else
        found=$(run "$lane" "$program")
        outcome=${found:+found by $found}
        outcome=${outcome:-SURVIVED}
    fi
    printf '%-30s %-36s %3s s  %s\n' "$name" "$file" "$((SECONDS - began))" "$outcome"
    cp "crates/$file" "$source"
}

prepare 0
program=$(build 0) || { cat "$home/0/build.log"; exit 1; }
found=$(run 0 "$program")
if [[ -n $found ]]; then
    echo "the simulated world fails without any mutation: $found"
    exit 1
fi
for ((lane = 1; lane < lanes; lane++)); do
    prepare "$lane"
    [[ -d $home/$lane/build ]] || cp -rp "$home/0/build" "$home/$lane/build"
done
echo "built and run without mutation: $SECONDS s"

mutants | grep -E "^[^|]*${1:-.}" >"$home/list" || true
for ((lane = 0; lane < lanes; lane++)); do
    while IFS='|' read -r name file change; do
        check "$lane" "${name// /}" "${file// /}" "$change"
    done < <(awk -v lane="$lane" -v lanes="$lanes" 'NR % lanes == lane' "$home/list") &
done | tee "$home/table"
count=$(wc -l <"$home/list") found=$(grep -c 'found by' "$home/table" || true)
echo "$count mutants, $found found, $SECONDS s"
[[ $count -gt 0 && $found -eq $count ]]
