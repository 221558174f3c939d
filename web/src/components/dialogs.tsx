// Questions to the person: yes or no, and the password. One at a time; the page behind cannot be used meanwhile.

import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { ApiError, problemText, request } from "../api";
import { refreshSession } from "../session";
import { createStore, useStore } from "../store";
import { Button } from "./button";

interface Question {
  kind: "confirm" | "password";
  title: string;
  text: ComponentChildren;
  action: string;
  isDangerous: boolean;
  answer(yes: boolean): void;
}

const waiting = createStore<readonly Question[]>([]);

function ask(question: Omit<Question, "answer">): Promise<boolean> {
  return new Promise((resolve) => {
    const asked: Question = {
      ...question,
      answer(yes) {
        waiting.set(waiting.get().filter((other) => other !== asked));
        resolve(yes);
      },
    };
    waiting.set([...waiting.get(), asked]);
  });
}

/** Whether the person agrees. `action` is the button's name: what will be done. */
export function askConfirmation(question: { title: string; text: ComponentChildren; action: string; isDangerous?: boolean }): Promise<boolean> {
  return ask({ kind: "confirm", isDangerous: false, ...question });
}

/** Asks for the password and logs in with it, which also confirms what was asked for. False: the person gave up. */
export function askPassword(why: string): Promise<boolean> {
  return ask({ kind: "password", title: "Type your password", text: why, action: "Go on", isDangerous: false });
}

/** Where the questions appear; once in the page. */
export function DialogHost() {
  const question = useStore(waiting)[0];
  return question === undefined ? null : <DialogView key={question.title + String(question.text)} question={question} />;
}

function DialogView({ question }: { question: Question }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    return () => {
      element?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (question.kind === "confirm") return question.answer(true);
    setBusy(true);
    setProblem(null);
    try {
      await request("/api/login", { method: "POST", body: { password }, mayAsk: false });
      await refreshSession();
      question.answer(true);
    } catch (refused) {
      setPassword("");
      setProblem(refused instanceof ApiError && refused.status === 401 ? "That is not the password." : problemText(refused));
      setBusy(false);
    }
  };
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-text`}
      onCancel={(event: Event) => {
        event.preventDefault();
        question.answer(false);
      }}
    >
      <form onSubmit={submit}>
        <h2 id={`${id}-title`}>{question.title}</h2>
        <div id={`${id}-text`}>{question.text}</div>
        {question.kind === "password" && (
          <label class="field">
            Password
            <input
              type="password"
              autocomplete="current-password"
              required
              autofocus
              value={password}
              aria-invalid={problem !== null}
              onInput={(event) => setPassword(event.currentTarget.value)}
            />
          </label>
        )}
        <p role="alert" class="problem">
          {problem}
        </p>
        <div class="dialog-actions">
          <Button onClick={() => question.answer(false)}>Cancel</Button>
          <Button kind={question.isDangerous ? "danger" : "primary"} type="submit" isBusy={isBusy}>
            {question.action}
          </Button>
        </div>
      </form>
    </dialog>
  );
}
