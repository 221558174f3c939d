// A view for a small screen on the box: read from two metres, nothing to press by mistake. It only listens, and moves a little every minute so
// that no picture burns in. Escape leaves it; so does the link that appears when it has the focus.

import { useEffect } from "preact/hooks";
import { countdown, span } from "../ages";
import { boxTime, readingAge, useNow } from "../clock";
import { Link } from "../components/button";
import { STALE_AFTER_MS, useLive } from "../live";
import type { Picture } from "../live";
import { temperatureUnit } from "../preferences";
import { navigate } from "../router";
import { useStore } from "../store";
import type { OutputName } from "../types";
import { decimal, inUnit, temperatureNumber } from "../units";
import { spoken, verdict } from "../verdict";

const SHIFT_EVERY_MS = 60_000;
/** Where the picture stands, in steps of the style sheet; it comes back to the middle after every step aside. */
const SHIFTS = ["", "up", "", "right", "", "down", "", "left"] as const;

export function Kiosk() {
  const { picture, connection } = useLive();
  const now = useNow();
  useEffect(() => {
    const leave = (event: KeyboardEvent) => {
      if (event.key === "Escape") navigate("/");
    };
    addEventListener("keydown", leave);
    return () => removeEventListener("keydown", leave);
  }, []);
  const shift = SHIFTS[Math.floor(now / SHIFT_EVERY_MS) % SHIFTS.length] ?? "";
  return (
    <main id="main" tabIndex={-1} class={`kiosk ${shift}`}>
      <h1 class="unseen">FilamentBox</h1>
      <Link to="/" class="skip">
        Leave the kiosk view
      </Link>
      {picture === null ? (
        <p class="kiosk-wait">{connection === "lost" ? "The box does not answer" : "Asking the box…"}</p>
      ) : (
        <Big picture={picture} now={now} isStale={connection !== "live" && (picture.fromBefore || now - picture.takenAt > STALE_AFTER_MS)} />
      )}
    </main>
  );
}

function Big({ picture, now, isStale }: { picture: Picture; now: number; isStale: boolean }) {
  const unit = useStore(temperatureUnit);
  const { status } = picture;
  const age = readingAge(picture, now);
  const is = verdict(status, age, unit);
  const isOld = isStale || is.tone === "unknown";
  const fault = status.safety.faults[0];
  const headline = fault === undefined ? is.headline : "Fault";
  return (
    <div class={`kiosk-face ${fault === undefined ? is.tone : "fault"} ${isOld ? "stale" : ""}`}>
      <p class="unseen" role="status">
        {spoken(status, is.headline)}
      </p>
      <p class="kiosk-headline">{isStale ? `No connection for ${span((now - picture.takenAt) / 1000)}` : headline}</p>
      <div class="kiosk-numbers number">
        <p>
          {decimal(status.sensor.humidity, 1)}
          <small>%</small>
        </p>
        <p>
          {temperatureNumber(status.sensor.temperature_c, unit)}
          <small>°{unit}</small>
        </p>
      </div>
      {fault === undefined ? (
        <div class="kiosk-outputs">
          <Lamp name="heater" picture={picture} now={now} />
          <Lamp name="fan" picture={picture} now={now} />
        </div>
      ) : (
        <p class="kiosk-fault">{inUnit(fault, unit)}</p>
      )}
      <p class="kiosk-small number">
        {status.simulated && "simulated · "}
        {age === null ? "no reading" : `read ${span(age)} ago`}
      </p>
    </div>
  );
}

function Lamp({ name, picture, now }: { name: OutputName; picture: Picture; now: number }) {
  const output = picture.status.controls[name];
  if (!output.enabled) return null;
  const left = output.until === null ? "" : ` ${countdown(output.until - boxTime(picture, now))}`;
  return (
    <p class={`lamp ${name} ${output.on ? "on" : ""}`}>
      {name === "heater" ? "Heater" : "Fan"} {output.on ? "ON" : "off"}
      {output.mode === "manual" && <small> by hand{left}</small>}
    </p>
  );
}
