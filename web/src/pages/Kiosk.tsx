// A view for a small screen on the box.

export function Kiosk() {
  return <h1>FilamentBox</h1>;
}
