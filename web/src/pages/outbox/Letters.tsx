// Dead letters: points that a backend refuses for good, each with its reason; to be sent again or dropped.

import { useEffect, useState } from "preact/hooks";
import { moment } from "../../ages";
import { problemText, request, sentence } from "../../api";
import { Banner } from "../../components/banner";
import { Button } from "../../components/button";
import { askConfirmation } from "../../components/dialogs";
import { refresh } from "../../live";
import { may, useSession } from "../../session";
import { backendName, count as countWords } from "./backends";

interface Letter {
  id: number;
  backend: string;
  box: string;
  timestamp: number;
  fields: Record<string, number>;
  reason: string;
  refused_at: number | null;
  /** It is to be sent again. */
  retry: boolean;
}

/** So many are shown; the buttons act on all. */
const SHOWN_MAX = 50;

/** `count`: how many there are, by the latest status; the list is asked for anew when it changes. */
export function Letters({ count, now }: { count: number; now: number }) {
  const who = useSession();
  const [letters, setLetters] = useState<Letter[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const [said, setSaid] = useState("");
  const load = async () => {
    try {
      setLetters((await request<{ deadletters: Letter[] }>("/api/database/deadletters")).deadletters);
      setProblem(null);
    } catch (refused) {
      setProblem(problemText(refused));
    }
  };
  useEffect(() => void load(), [count]);
  const change = async (action: "retry" | "drop", letter: Letter | null) => {
    if (action === "drop" && !(await isSure(letter, count))) return;
    try {
      const body = letter === null ? {} : { backend: letter.backend, id: letter.id };
      const { count: changed } = await request<{ count: number }>(`/api/database/deadletters/${action}`, { method: "POST", body });
      const points = changed === 1 ? "1 point" : `${countWords(changed)} points`;
      setSaid(action === "retry" ? `${points} will be sent again.` : `${points} dropped.`);
      await Promise.all([load(), refresh()]);
    } catch (refused) {
      setProblem(problemText(refused));
    }
  };
  const mayChange = may(who, "control");
  return (
    <section class="card" aria-labelledby="letters">
      <h2 id="letters">Dead letters</h2>
      {letters.length === 0 ? (
        <p>None: no database has refused a point for good.</p>
      ) : (
        <p>Points that a server refuses for good. Send them again once the reason is gone, or drop them: the box's own history stays as it is.</p>
      )}
      <p role="status" class="said">
        {said}
      </p>
      {problem !== null && (
        <Banner kind="warning" role="alert">
          <p>{problem}</p>
        </Banner>
      )}
      {letters.length > 0 && (
        <div class="row">
          <Button isDisabled={!mayChange} onClick={() => void change("retry", null)}>
            Send all again
          </Button>
          <Button isDisabled={!mayChange} onClick={() => void change("drop", null)}>
            Drop all…
          </Button>
          {!mayChange && <span class="quiet small">Log in to change them.</span>}
        </div>
      )}
      <ul class="letters">
        {letters.slice(0, SHOWN_MAX).map((letter) => (
          <LetterView key={`${letter.backend} ${letter.id}`} letter={letter} now={now} mayChange={mayChange} change={change} />
        ))}
      </ul>
      {letters.length > SHOWN_MAX && <p class="quiet small">The first {SHOWN_MAX} of {countWords(letters.length)}. All of them: filamentbox outbox deadletter list</p>}
    </section>
  );
}

function isSure(letter: Letter | null, count: number): Promise<boolean> {
  const what = letter === null ? (count === 1 ? "the dead letter" : `all ${countWords(count)} dead letters`) : "this dead letter";
  return askConfirmation({
    title: `Drop ${what}?`,
    text: "The server will never get these measurements. The box's own history stays as it is.",
    action: "Drop",
    isDangerous: true,
  });
}

interface LetterViewProps {
  letter: Letter;
  now: number;
  mayChange: boolean;
  change(action: "retry" | "drop", letter: Letter): Promise<void>;
}

function LetterView({ letter, now, mayChange, change }: LetterViewProps) {
  const name = `the point of ${moment(letter.timestamp, now)} for ${backendName(letter.backend)}`;
  return (
    <li>
      <p>
        <strong>{backendName(letter.backend)}</strong>, measured {moment(letter.timestamp, now)}
        {letter.box !== "main" && ` in ${letter.box}`}
        {letter.retry && <em> · will be sent again</em>}
      </p>
      <p class="words">{sentence(letter.reason)}</p>
      <p class="quiet small number">
        {Object.entries(letter.fields)
          .map(([field, value]) => `${field} ${value}`)
          .join(", ")}
      </p>
      <div class="row">
        {!letter.retry && (
          <Button isDisabled={!mayChange} label={`Send again ${name}`} onClick={() => void change("retry", letter)}>
            Send again
          </Button>
        )}
        <Button isDisabled={!mayChange} label={`Drop ${name}`} onClick={() => void change("drop", letter)}>
          Drop…
        </Button>
      </div>
    </li>
  );
}
