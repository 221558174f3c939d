// Tokens for programs: made here, shown once, taken back here.

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { problemText, request } from "../api";
import { Banner } from "../components/banner";
import { Button } from "../components/button";
import { askConfirmation } from "../components/dialogs";

interface Token {
  name: string;
  scope: "read" | "control";
}

const SCOPES = {
  read: "read: may see everything, change nothing",
  control: "control: may also switch heater and fan",
} as const;

export function Tokens() {
  const [tokens, setTokens] = useState<Token[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [made, setMade] = useState<{ name: string; token: string } | null>(null);
  const load = () =>
    request<{ tokens: Token[] }>("/api/tokens").then(
      (answer) => {
        setTokens(answer.tokens);
        setProblem(null);
      },
      (refused: unknown) => setProblem(problemText(refused)),
    );
  useEffect(() => void load(), []);
  const revoke = async (name: string) => {
    const isSure = await askConfirmation({ title: `Revoke ${name}?`, text: "Whatever uses this token is refused from then on.", action: "Revoke", isDangerous: true });
    if (!isSure) return;
    await request(`/api/tokens/${encodeURIComponent(name)}`, { method: "DELETE" }).catch((refused: unknown) => setProblem(problemText(refused)));
    if (made?.name === name) setMade(null);
    await load();
  };
  return (
    <>
      <p>
        A program (Home Assistant, a script) sends its token as <code>Authorization: Bearer TOKEN</code>. No token may change settings.
      </p>
      <p class="problem" role="alert">
        {problem}
      </p>
      {problem !== null && tokens === null && <Button onClick={() => void load()}>Try again</Button>}
      {made !== null && <Made made={made} onDone={() => setMade(null)} />}
      {tokens !== null && (
        <ul class="listed card" aria-label="Tokens">
          {tokens.length === 0 && <li>There are no tokens.</li>}
          {tokens.map(({ name, scope }) => (
            <li key={name}>
              <span>
                <strong>{name}</strong> <span class="quiet">{SCOPES[scope] ?? scope}</span>
              </span>
              <Button class="slight" label={`Revoke ${name}`} onClick={() => void revoke(name)}>
                Revoke
              </Button>
            </li>
          ))}
        </ul>
      )}
      {tokens !== null && (
        <Creation
          onMade={(token) => {
            setMade(token);
            void load();
          }}
        />
      )}
    </>
  );
}

function Made({ made, onDone }: { made: { name: string; token: string }; onDone(): void }) {
  const [isCopied, setCopied] = useState(false);
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => box.current?.focus(), []);
  const copy = async () => {
    box.current?.select();
    try {
      await navigator.clipboard.writeText(made.token);
      setCopied(true);
    } catch {
      // Not over plain http: the old way, which works on what is selected.
      setCopied(document.execCommand("copy"));
    }
  };
  return (
    <Banner kind="success" title={`The token ${made.name}: it is shown this once.`}>
      <input ref={box} class="token" readOnly value={made.token} aria-label={`The token ${made.name}`} onFocus={(event) => event.currentTarget.select()} />
      <div class="row">
        <Button kind="primary" onClick={() => void copy()}>
          Copy
        </Button>
        <Button onClick={onDone}>I have it</Button>
        <span role="status">{isCopied ? "Copied." : ""}</span>
      </div>
    </Banner>
  );
}

function Creation({ onMade }: { onMade(made: { name: string; token: string }): void }) {
  const id = useId();
  const [name, setName] = useState("");
  const [scope, setScope] = useState<Token["scope"]>("read");
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const create = async (event: Event) => {
    event.preventDefault();
    if (name.trim() === "") return setProblem("Give it a name: what will use it.");
    setBusy(true);
    setProblem(null);
    try {
      const { token } = await request<{ token: string }>("/api/tokens", { method: "POST", body: { name: name.trim(), scope } });
      onMade({ name: name.trim(), token });
      setName("");
    } catch (refused) {
      setProblem(problemText(refused));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form class="card" onSubmit={(event) => void create(event)} aria-label="A new token">
      <h2>A new token</h2>
      <label class="field" htmlFor={`${id}-name`}>
        Name
      </label>
      <input
        id={`${id}-name`}
        autocomplete="off"
        autocapitalize="none"
        value={name}
        aria-invalid={problem !== null}
        aria-describedby={`${id}-problem`}
        onInput={(event) => setName(event.currentTarget.value)}
      />
      <p class="problem small" id={`${id}-problem`} role="alert">
        {problem}
      </p>
      <label class="field" htmlFor={`${id}-scope`}>
        Scope
      </label>
      <select id={`${id}-scope`} value={scope} onChange={(event) => setScope(event.currentTarget.value as Token["scope"])}>
        {Object.entries(SCOPES).map(([word, text]) => (
          <option key={word} value={word}>
            {text}
          </option>
        ))}
      </select>
      <div>
        <Button kind="primary" type="submit" isBusy={isBusy}>
          Create
        </Button>
      </div>
    </form>
  );
}
