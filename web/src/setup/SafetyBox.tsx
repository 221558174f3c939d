// What no program can do for a heater, to be read and agreed to before there is one.

interface SafetyBoxProps {
  isAgreed: boolean;
  onAgreed(isAgreed: boolean): void;
}

export function SafetyBox({ isAgreed, onAgreed }: SafetyBoxProps) {
  return (
    <section class="banner danger safety-box" aria-label="Safety">
      <strong class="banner-title">A heater can burn a house down. Software alone must not stand between.</strong>
      <ul>
        <li>
          A one-shot <strong>thermal fuse</strong> is in the heater's supply lead, in its air stream. No program can open a welded relay or a shorted transistor.
        </li>
        <li>Wires, fuse and relay are made for the heater's current; the box does not burn; a residual-current device is in the mains.</li>
        <li>
          For the test that follows, the heater's <strong>supply is unplugged</strong>: the relay clicks without it.
        </li>
      </ul>
      <label class="check">
        <input type="checkbox" checked={isAgreed} onChange={(event) => onAgreed(event.currentTarget.checked)} />
        All of this is so.
      </label>
    </section>
  );
}
