// Step 2: does the sensor answer, and if not, what to do: in the words of `doctor` and `sensor scan`.

import { ago } from "../ages";
import { readingAge, useNow } from "../clock";
import { Banner } from "../components/banner";
import { useLive } from "../live";
import { temperatureUnit } from "../preferences";
import { Field } from "../settings/Field";
import { textOf } from "../settings/changes";
import { useForm } from "../settings/form";
import { useStore } from "../store";
import { percent, temperature } from "../units";
import { StepFrame } from "./StepFrame";
import { useDaemonForm } from "./useDaemonForm";

/** Below this a box in a living room is not; a DHT22 that is read as a DHT11 shows 1 to 3 °C. */
const COLD_C = 5;

export function SensorStep({ onNext, onBack }: { onNext(): void; onBack(): void }) {
  const state = useDaemonForm();
  const { picture } = useLive();
  const isFound = picture !== null && picture.status.sensor.error === null && picture.status.sensor.temperature_c !== null;
  const isChanged = Object.keys(state.form?.changes ?? {}).length > 0;
  return (
    <>
      <Reading />
      <StepFrame
        state={state}
        onNext={isChanged ? () => {} : onNext}
        onBack={onBack}
        {...(isFound ? {} : { onSkip: onNext })}
        nextWords={isChanged ? "Save and look again" : isFound ? "Go on" : "Go on without a sensor"}
      >
        <Connection isFound={isFound} />
      </StepFrame>
    </>
  );
}

function Reading() {
  const { picture } = useLive();
  const now = useNow();
  const unit = useStore(temperatureUnit);
  if (picture === null) return <p class="quiet">Waiting for the box…</p>;
  const { sensor, sensor_type, simulated } = picture.status;
  const age = readingAge(picture, now);
  if (sensor.error !== null || sensor.temperature_c === null) {
    return (
      <Banner kind="warning" role="status" title={sensor.error === null ? "No reading yet." : "No sensor answers."}>
        {sensor.error !== null && (
          <ul class="small">
            {sensor.error.split("; ").map((part) => (
              <li key={part}>{part}</li>
            ))}
          </ul>
        )}
      </Banner>
    );
  }
  return (
    <>
      <Banner kind="success" title={`It answers${sensor_type ? `: ${sensor_type}` : ""}.`}>
        <p class="first-reading number">
          {temperature(sensor.temperature_c, unit, 1)} · {percent(sensor.humidity, 1)}
        </p>
        <p class="small">Read {age === null ? "just now" : ago(age)}. Breathe on it: the humidity must rise.</p>
        {simulated && <p class="small">The box is simulated, so this sensor always answers.</p>}
      </Banner>
      {sensor.temperature_c < COLD_C && (
        <Banner kind="warning" title="Is it so cold there?">
          <p>Another kind of sensor than the set one reads so: a DHT22 that is read as a DHT11 shows 1 to 3 °C. Below 5 °C nothing is heated.</p>
        </Banner>
      )}
    </>
  );
}

const I2C = new Set(["auto", "bme280", "sht4x", "sht3x", "aht20"]);

function Connection({ isFound }: { isFound: boolean }) {
  const form = useForm();
  const type = textOf(form.known, form.changes, "sensor.type");
  const isDht = type.startsWith("dht");
  return (
    <div class="fields">
      <Field name="sensor.type" title="Kind of sensor" />
      {isDht && <Field name="sensor.gpio_pin" title="GPIO pin of the data line" />}
      {I2C.has(type) && (
        <details>
          <summary>How it is connected</summary>
          <div class="fields">
            <Field name="sensor.i2c_bus" />
            <Field name="sensor.i2c_address" />
          </div>
        </details>
      )}
      {type === "dht11" && (
        <Banner kind="warning">A DHT11 measures 20 to 90 % of humidity only: in a dry box it shows its lower end, or nonsense. A DHT22 has the same wires and measures down to 0 %.</Banner>
      )}
      {!isFound && <Help isDht={isDht} />}
    </div>
  );
}

function Help({ isDht }: { isDht: boolean }) {
  return (
    <details class="card" open>
      <summary>What to do</summary>
      {isDht ? (
        <ol class="help">
          <li>Check the three wires: 3.3 V (never 5 V: it destroys the pin), data, ground; a resistor of 4.7 to 10 kΩ between data and 3.3 V. Keep the cable short.</li>
          <li>Check the pin: it is the BCM number, not the number on the header. GPIO 4 is pin 7.</li>
          <li>Single failures are normal; wait half a minute.</li>
        </ol>
      ) : (
        <ol class="help">
          <li>
            Check wires and voltage: 3.3 V (pin 1), ground (pin 9), SDA (pin 3), SCL (pin 5).
          </li>
          <li>
            Switch the I2C bus on: <code>sudo raspi-config nonint do_i2c 0</code>, then start the machine again.
          </li>
          <li>
            See whether an address answers (76 or 77 for a BME280): <code>sudo i2cdetect -y 1</code>
          </li>
          <li>A DHT22 or DHT11 has to be named: choose it above.</li>
        </ol>
      )}
      <p>
        In a terminal, <code>filamentbox sensor scan</code> shows everything that is connected, and <code>filamentbox doctor</code> says what is wrong and how to mend it. This page goes on by itself once the sensor answers.
      </p>
    </details>
  );
}
