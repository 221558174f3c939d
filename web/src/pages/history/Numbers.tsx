// The history as numbers: least, mean and most of each quantity, how long the outputs were on, and the points as a table.

import { useState } from "preact/hooks";
import { span as spanWords } from "../../ages";
import type { TemperatureUnit } from "../../preferences";
import type { History } from "../../types";
import { decimal } from "../../units";
import { QUANTITIES, shown, text, unitOf } from "./quantities";
import type { Span } from "./spans";
import { rows, shareWords } from "./summary";
import type { Summary } from "./summary";
import type { TimeWords } from "./timeaxis";

/** More rows are read by nobody; the CSV has them all. */
const ROWS_MAX = 200;

export function Numbers({ of, unit, words }: { of: Summary; unit: TemperatureUnit; words: TimeWords }) {
  return (
    <section class="card" aria-labelledby="numbers">
      <h2 id="numbers">In numbers</h2>
      <table class="numbers number">
        <thead>
          <tr>
            <th scope="col">Lowest</th>
            <th scope="col">Mean</th>
            <th scope="col">Highest</th>
          </tr>
        </thead>
        {of.extremes.map(({ quantity, least, leastAt, mean, most, mostAt }) => (
          <tbody key={quantity.field}>
            <tr>
              <th scope="rowgroup" colSpan={3}>
                {quantity.label}
              </th>
            </tr>
            <tr>
              <td>
                {text(quantity, least, unit)}
                <small>{words.moment(leastAt, 60)}</small>
              </td>
              <td>{text(quantity, mean, unit)}</td>
              <td>
                {text(quantity, most, unit)}
                <small>{words.moment(mostAt, 60)}</small>
              </td>
            </tr>
          </tbody>
        ))}
      </table>
      <dl class="duties">
        {of.duties.map(({ output, share, onTime }) => (
          <div key={output}>
            <dt>{output === "heater" ? "Heater on" : "Fan on"}</dt>
            <dd class="number">
              {shareWords(share)} of the time{onTime > 0 && `, ${spanWords(onTime)}`}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

interface PointsTableProps {
  history: History;
  span: Span;
  fields: readonly string[];
  unit: TemperatureUnit;
  words: TimeWords;
}

/** Made only when it is opened. */
export function PointsTable({ history, span, fields, unit, words }: PointsTableProps) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details class="card" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>The points as a table</summary>
      {isOpen && <Table history={history} span={span} fields={fields} unit={unit} words={words} />}
    </details>
  );
}

function Table({ history, span, fields, unit, words }: PointsTableProps) {
  const shownRows = rows(history, span, ROWS_MAX).reverse();
  const quantities = QUANTITIES.filter(({ field }) => fields.includes(field));
  const share = (field: string, index: number) => {
    const value = history.fields[field]?.mean[index] ?? null;
    return value === null ? "–" : value === 0 ? "off" : value === 1 ? "on" : shareWords(value);
  };
  return (
    <div class="sideways" tabIndex={0} role="group" aria-label="The points as a table">
      <table class="points number">
        <thead>
          <tr>
            <th scope="col">Time</th>
            {quantities.map((quantity) => (
              <th key={quantity.field} scope="col">
                {quantity.label} {unitOf(quantity, unit)}
              </th>
            ))}
            <th scope="col">Heater</th>
            <th scope="col">Fan</th>
          </tr>
        </thead>
        <tbody>
          {shownRows.map((index) => (
            <tr key={history.timestamps[index]}>
              <th scope="row">{words.moment(history.timestamps[index] as number, history.resolution)}</th>
              {quantities.map((quantity) => {
                const value = history.fields[quantity.field]?.mean[index] ?? null;
                return <td key={quantity.field}>{decimal(value === null ? null : shown(quantity, value, unit), 1)}</td>;
              })}
              <td>{share("heater_on", index)}</td>
              <td>{share("fan_on", index)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
