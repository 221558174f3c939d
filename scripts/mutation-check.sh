#!/usr/bin/env bash
# Breaks one rule of the interlock or of the relay guard's judge after the other, in a copy of the sources, and runs the simulated
# world against each: a rule whose loss nobody notices is not tested. Fails when a mutant survives, when a mutation no longer
# applies to the source or does not compile, and when the sources fail without any mutation.
#
#   scripts/mutation-check.sh [PATTERN]     only the mutants whose name matches
set -euo pipefail
cd "$(dirname "$0")/.."

home=$PWD/target/mutants
tree=$home/tree
# Longer than the whole world takes: a mutant that spins is noticed too.
limit_s=120
export CARGO_TARGET_DIR=$home/build CARGO_INCREMENTAL=1 CARGO_TERM_COLOR=never
# Small failures are for people; here the first one is enough.
export FILAMENTBOX_SIM_SHRINK=0
# A little optimised: the world is computed more than it is compiled.
profile=(--config profile.dev.opt-level=1 --config profile.dev.debug=false)

# name | file below crates/ | what perl makes of it (-0: the file is one string)
mutants() {
    sed '/^ *#/d;/^ *$/d' <<'LIST'
# The interlock: a reading's age and temperature.
stale-not-checked       | core/src/safety/interlock.rs | s/> limits\.max_sample_age \{/> limits.max_sample_age * 1000 {/
stale-limit-x10         | core/src/safety/interlock.rs | s/limits\.max_sample_age/(limits.max_sample_age * 10)/g
cut-off-not-checked     | core/src/safety/interlock.rs | s/if reaches_cut_off_at <= now/if false \&\& reaches_cut_off_at <= now/
cut-off-2-degrees-late  | core/src/safety/interlock.rs | s/self\.limits\.max_temp_c - temperature/self.limits.max_temp_c + 2.0 - temperature/
age-not-projected       | core/src/safety/interlock.rs | s/margin_c \/ self\.limits\.slew_c_per_s/if margin_c > 0.0 { 1e6 } else { 0.0 }/
permit-outlives-reading | core/src/safety/interlock.rs | s/reaches_cut_off_at\.min\(stale_at\)/reaches_cut_off_at.max(stale_at)/
no-reading-is-20-degrees | core/src/safety/interlock.rs | s/now\.since\(reading\.taken_at\) > limits/now.since(reading.taken_at) \/ 2 > limits/
# On-time and rest.
rest-not-checked        | core/src/safety/interlock.rs | s/= on_time\.resting_until\(\)/= on_time.resting_until().filter(|_| false)/
on-time-x10             | core/src/safety/on_time.rs   | s/self\.used >= self\.max_on_time/self.used >= self.max_on_time * 10/
rest-of-a-second        | core/src/safety/on_time.rs   | s/from_secs\(600\)/from_secs(1)/
pauses-do-not-give-back | core/src/safety/on_time.rs   | s/saturating_sub\(elapsed\)/saturating_sub(elapsed \/ 1000)/
# The chamber's composition: safety first, then the wish, then the minimum times.
faults-do-not-latch     | core/src/chamber.rs          | s/Some\(Inhibit::Fault\(fault\)\);/None;/
stop-does-not-latch     | core/src/chamber.rs          | s/Input::Stop => self\.latched = Some\(Inhibit::Stopping\)/Input::Stop => {}/
permit-kept             | core/src/chamber.rs          | s/self\.permit = assessed\.as_ref\(\)\.ok\(\)\.copied\(\);/self.permit = assessed.as_ref().ok().copied().or(self.permit);/
minimum-on-delays-safety | core/src/chamber.rs         | s/on: false, urgency: Urgency::OffAtOnce, reason \}\);/on: false, urgency: Urgency::Controller, reason });/
minimum-on-delays-a-hand | core/src/chamber.rs         | s/Wished \{ on, urgency: Urgency::OffAtOnce/Wished { on, urgency: Urgency::Controller/
safety-off-forgotten    | core/src/chamber.rs          | s/Wished \{ on: false, urgency: Urgency::OffAtOnce, reason \}\);/Wished { on: wished.on, urgency: Urgency::OffAtOnce, reason });/
on-time-not-counted     | core/src/chamber.rs          | s/self\.on_time\.count\(clock\.now, held\.heater\.active\);/let _ = \&held;/
no-wake-at-expiry       | core/src/chamber.rs          | s/permit\.expires_at\(\)\),/permit.expires_at() + Duration::from_secs(3600)),/
no-wake-at-on-time      | core/src/chamber.rs          | s/heater_is_on\.then\(\|\| self\.on_time\.used_up_at\(\)\)/heater_is_on.then(|| self.on_time.used_up_at() + Duration::from_secs(60))/
override-without-end    | core/src/chamber.rs          | s/until\(hold\.or\(Some\(longest\)\)\)/until(hold.or(Some(longest * 10)))/
override-of-any-length  | core/src/chamber.rs          | s/hold\.filter\(\|hold\| \*hold > longest\)/hold.filter(|hold| *hold > longest * 10)/
override-never-ends     | core/src/chamber.rs          | s/output\.mode\.has_ended\(clock\.now\)/false \&\& output.mode.has_ended(clock.now)/
refusal-without-event   | core/src/chamber.rs          | s/if !known && inhibit/if false \&\& !known \&\& inhibit/
output-without-event    | core/src/chamber.rs          | s/if changed \|\| newly_refused/if newly_refused/
minimum-off-ignored     | core/src/actuate.rs          | s/self\.min_off/std::time::Duration::ZERO/g
# The relay guard's judge.
lease-without-end       | guard/src/judge.rs           | s/came\.plus\(self\.limits\.lease\)/came.plus(self.limits.lease * 10)/g
garbled-keeps-the-lease | guard/src/judge.rs           | s/(fn garbled\(&mut self, now: Nanos\) \{\s*)self\.lease = None;/$1/
silence-keeps-the-lease | guard/src/judge.rs           | s/(fn silence\(&mut self\) \{\s*)self\.lease = None;/$1/
guard-age-not-checked   | guard/src/judge.rs           | s/self\.limits\.max_sample_age\.checked_sub/(self.limits.max_sample_age * 100).checked_sub/
guard-age-not-projected | guard/src/judge.rs           | s/(below \* 1_000_000_000)/(below * 1_000_000_000_000)/
guard-no-cut-off        | guard/src/judge.rs           | s/i64::from\(self\.limits\.cut_off_milli_c\)/i64::from(self.limits.cut_off_milli_c * 2)/
guard-on-time-x10       | guard/src/judge.rs           | s/max_on_time\.saturating_sub/(max_on_time * 10).saturating_sub/
guard-forgets-on-time   | guard/src/judge.rs           | s/self\.used = self\.used\.saturating_add\(now\.since\(since\)\);//
guard-rest-of-a-second  | guard/src/judge.rs           | s/now\.since\(since\) >= rest/now.since(since).saturating_mul(600) >= rest/
guard-takes-replays     | guard/src/judge.rs           | s/\.cast_signed\(\) <= 0/.cast_signed() < i32::MIN/
guard-sleeps-too-long   | guard/src/judge.rs           | s/first = Some\(first\.map_or\(end/let end = end.plus(Duration::from_secs(5)); first = Some(first.map_or(end/
LIST
}

prepare() {
    mkdir -p "$tree"
    rm -rf "$tree/crates"
    cp -rp Cargo.toml Cargo.lock crates "$tree"
}

build() { (cd "$tree" && cargo test --locked --quiet "${profile[@]}" -p filamentbox-core --test sim --no-run --message-format=json 2>"$home/build.log") | sed -n 's/.*"executable":"\([^"]*\/sim-[^"]*\)".*/\1/p' | tail -1; }

# The world, without the delivery of samples, which no rule touches.
run() { timeout "$limit_s" "$1" --skip delivery:: >"$home/run.log" 2>&1; }

prepare
started=$SECONDS
world=$(build) || { cat "$home/build.log"; exit 1; }
if ! run "$world"; then
    tail -40 "$home/run.log"
    echo "the simulated world fails without any mutation"
    exit 1
fi
printf 'built and run without mutation: %s s\n' "$((SECONDS - started))"

bad=0 count=0
while IFS='|' read -r name file change; do
    name=${name%% *} file=${file// /}
    [[ $name =~ ${1:-.} ]] || continue
    count=$((count + 1)) began=$SECONDS
    perl -0pi -e "$change" "$tree/crates/$file"
    if cmp -s "crates/$file" "$tree/crates/$file"; then
        outcome="DOES NOT APPLY: mend it or take it out" bad=$((bad + 1))
    elif ! world=$(build) || [[ -z $world ]]; then
        outcome="DOES NOT COMPILE: $(grep -m1 '^error' "$home/build.log")" bad=$((bad + 1))
    elif run "$world"; then
        outcome="SURVIVED" bad=$((bad + 1))
    else
        failed=$(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$home/run.log")
        outcome="found by $(grep -c . <<<"$failed"): $(head -3 <<<"$failed" | paste -sd' ')"
    fi
    printf '%-28s %-30s %3s s  %s\n' "$name" "$file" "$((SECONDS - began))" "$outcome"
    cp -p "crates/$file" "$tree/crates/$file"
    touch "$tree/crates/$file"
done < <(mutants)
printf '%s mutants, %s not found, %s s\n' "$count" "$bad" "$((SECONDS - started))"
[[ $bad -eq 0 && $count -gt 0 ]]
