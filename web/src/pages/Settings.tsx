// Settings: the list of sections, one section, a search, the review before anything is saved; and what is not a setting but belongs here
// (password, tokens, diagnostics). Which of them is in the address (?at=...), so that "back" goes where a person expects.

import { useEffect, useRef, useState } from "preact/hooks";
import { problemText } from "../api";
import { Banner } from "../components/banner";
import { Button, Link } from "../components/button";
import { navigate, usePlace } from "../router";
import { may, useSession } from "../session";
import { Account } from "../settings/Account";
import { counted, rebase } from "../settings/changes";
import type { Known, Section } from "../settings/descriptor";
import { Diagnostics } from "../settings/Diagnostics";
import { change, draft, refused } from "../settings/draft";
import { FormContext } from "../settings/form";
import type { Form } from "../settings/form";
import { loadSettings } from "../settings/requests";
import { Review } from "../settings/Review";
import { Found } from "../settings/Found";
import { SectionForm } from "../settings/SectionForm";
import { holds, standing } from "../settings/summary";
import { Tokens } from "../settings/Tokens";
import { useStore } from "../store";

/** What is here beside the daemon's sections. */
const OTHERS = {
  account: { title: "Password and login", line: "change the password, log out", View: Account },
  tokens: { title: "Tokens for programs", line: "Home Assistant, scripts", View: Tokens },
  diagnostics: { title: "Diagnostics", line: "version, threads, problems", View: Diagnostics },
} as const;

export default function Settings() {
  const { query } = usePlace();
  const at = new URLSearchParams(query).get("at") ?? "";
  const [known, setKnown] = useState<Known | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [message, setMessage] = useState<string | null>(null);
  const changes = useStore(draft);
  const problems = useStore(refused);
  const who = useSession();
  const take = (next: Known) => {
    setKnown(next);
    setProblem(null);
    change(next, rebase(next, draft.get()));
  };
  const load = () => void loadSettings().then(take, (failed: unknown) => setProblem(problemText(failed)));
  useEffect(load, [who?.state]);
  const saved = (words: string) => {
    setMessage(words);
    navigate("/settings", { replace: true });
  };
  const heading = useArrival(at);
  const section = known?.sections.find((one) => slug(one.title) === at);
  const other = Object.entries(OTHERS).find(([name]) => name === at)?.[1];
  const title = at === "review" ? "Review" : (section?.title ?? other?.title ?? "Settings");
  const form: Form | null = known && { known, changes, problems, isReadOnly: !may(who, "configure"), change: (next) => change(known, next) };
  return (
    <FormContext.Provider value={form}>
      {at !== "" && (
        <Link to="/settings" class="up">
          ‹ All settings
        </Link>
      )}
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {message !== null && (
        <Banner kind="success" role="status">
          {message} <Button onClick={() => setMessage(null)}>All right</Button>
        </Banner>
      )}
      {problem !== null && (
        <Banner kind="warning" role="alert" title="The settings could not be read.">
          <p>{problem}</p>
          <Button onClick={load}>Try again</Button>
        </Banner>
      )}
      {other && <other.View />}
      {!other && form === null && problem === null && <p class="quiet">Loading…</p>}
      {!other && form?.isReadOnly && <Banner kind="information">You may look at the settings, and change them once you are logged in.</Banner>}
      {!other && form && at === "review" && <Review placeOf={(key) => placeOf(form.known, key)} onKnown={take} onSaved={saved} />}
      {!other && form && section && (
        <>
          <p>{section.doc}</p>
          <SectionForm section={section} />
        </>
      )}
      {!other && form && at !== "review" && !section && <Index form={form} />}
      {at !== "review" && <Unsaved count={Object.keys(changes).length} />}
    </FormContext.Provider>
  );
}

/** A section in the address. */
function slug(title: string): string {
  return title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
}

function placeOf(known: Known, key: string): string {
  const section = known.sections.find((one) => holds(one, key));
  return section ? `/settings?at=${slug(section.title)}` : "/settings";
}

/** Another part of Settings: its top, and the focus on its heading. */
function useArrival(at: string) {
  const heading = useRef<HTMLHeadingElement>(null);
  const before = useRef(at);
  useEffect(() => {
    if (before.current === at) return;
    before.current = at;
    scrollTo(0, 0);
    heading.current?.focus({ preventScroll: true });
  }, [at]);
  return heading;
}

function Index({ form }: { form: Form }) {
  const [words, setWords] = useState("");
  const isSearching = words.trim() !== "";
  return (
    <>
      <label class="field" htmlFor="settings-search">
        <span class="unseen">Search the settings</span>
        <input id="settings-search" type="search" placeholder="Search the settings" autocomplete="off" value={words} onInput={(event) => setWords(event.currentTarget.value)} />
      </label>
      {isSearching ? (
        <Found words={words} />
      ) : (
        <ul class="sections">
          {form.known.sections.map((section) => (
            <SectionRow key={section.title} form={form} section={section} />
          ))}
          {Object.entries(OTHERS).map(([name, { title, line }]) => (
            <li key={name}>
              <Link to={`/settings?at=${name}`}>
                <strong>{title}</strong>
                <span class="quiet">{line}</span>
              </Link>
            </li>
          ))}
          <li>
            <Link to="/setup">
              <strong>Setup</strong>
              <span class="quiet">step by step: sensor, relay test, thresholds, database</span>
            </Link>
          </li>
        </ul>
      )}
    </>
  );
}

const NOTES = { incomplete: "INCOMPLETE", problem: "PROBLEM", changed: "changed" } as const;

function SectionRow({ form, section }: { form: Form; section: Section }) {
  const { line, note } = standing(form.known, form.changes, form.problems, section);
  return (
    <li>
      <Link to={`/settings?at=${slug(section.title)}`}>
        <strong>{section.title}</strong>
        <span class="quiet">{line}</span>
        {note !== null && <span class={`mark ${note}`}>{NOTES[note]}</span>}
      </Link>
    </li>
  );
}

/** Stays in sight as long as something is not saved. */
function Unsaved({ count }: { count: number }) {
  if (count === 0) return null;
  return (
    <div class="unsaved" role="status">
      <span>{counted(count)} not saved</span>
      <Link to="/settings?at=review" class="button primary">
        Review and save
      </Link>
    </div>
  );
}
