// Spans of time and moments as people say them.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "45 s", "12 min", "3 h 5 min", "2 d 4 h": a span in seconds, in at most two units. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`;
  if (whole < DAY) return two(Math.floor(whole / HOUR), "h", Math.floor((whole % HOUR) / MINUTE), "min");
  return two(Math.floor(whole / DAY), "d", Math.floor((whole % DAY) / HOUR), "h");
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** "just now", "12 s ago", "3 min ago". */
export function ago(seconds: number): string {
  return seconds < 2 ? "just now" : `${span(seconds)} ago`;
}

/** The time that is left, counted down: "29:05", "1:02:07", "3 d 4 h". */
export function countdown(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole >= DAY) return span(whole);
  const digits = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / HOUR);
  const minutes = Math.floor((whole % HOUR) / MINUTE);
  return hours > 0 ? `${hours}:${digits(minutes)}:${digits(whole % MINUTE)}` : `${minutes}:${digits(whole % MINUTE)}`;
}

/** "14:05", with the day when it is not today: "Tue 14:05" within a week, else "24 Nov 14:05". Unix seconds. */
export function moment(at: number, now: number): string {
  const date = new Date(at * 1000);
  const today = new Date(now * 1000);
  const time = date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  if (date.toDateString() === today.toDateString()) return time;
  const isNear = Math.abs(now - at) < 6 * DAY;
  const day = date.toLocaleDateString(undefined, isNear ? { weekday: "short" } : { day: "numeric", month: "short" });
  return `${day} ${time}`;
}
