// The state of the box at a glance.

import { useLive } from "../live";
import { percent, temperature } from "../units";

export function Now() {
  const { picture } = useLive();
  if (picture === null) return <h1>Now</h1>;
  return (
    <>
      <h1>Now</h1>
      <p>
        {temperature(picture.status.sensor.temperature_c, "C")} {percent(picture.status.sensor.humidity)}
      </p>
    </>
  );
}
