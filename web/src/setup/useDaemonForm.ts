// A step's own form: it begins with what the daemon has, and saves at once when the step is left. Setup keeps its changes apart from
// those of Settings, which a person may have left there.

import { useEffect, useState } from "preact/hooks";
import { problemText } from "../api";
import { may, useSession } from "../session";
import { obstacles } from "../settings/changes";
import type { Changes, Problems } from "../settings/changes";
import type { Known } from "../settings/descriptor";
import type { Form } from "../settings/form";
import { loadSettings, saveChanges } from "../settings/requests";

export interface DaemonForm {
  /** Null until the daemon has answered. */
  form: Form | null;
  problem: string | null;
  isBusy: boolean;
  /** Saves the changes (and these besides); whether all of it was taken. */
  save(also?: Changes): Promise<boolean>;
  load(): void;
}

export function useDaemonForm(begin: (known: Known) => Changes = () => ({})): DaemonForm {
  const who = useSession();
  const [known, setKnown] = useState<Known | null>(null);
  const [changes, setChanges] = useState<Changes>({});
  const [problems, setProblems] = useState<Problems>({});
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const load = () => {
    loadSettings().then(
      (found) => {
        setKnown(found);
        setChanges(begin(found));
        setProblem(null);
      },
      (failed: unknown) => setProblem(problemText(failed)),
    );
  };
  useEffect(load, [who?.state]);
  const save = async (also: Changes = {}): Promise<boolean> => {
    if (known === null) return false;
    const all = { ...changes, ...also };
    const wrong = obstacles(known, all);
    setProblems(wrong);
    setProblem(null);
    if (Object.keys(wrong).length > 0) {
      setProblem("Not saved: see what is marked above.");
      return false;
    }
    if (Object.keys(all).length === 0) return true;
    setBusy(true);
    try {
      const saved = await saveChanges(all);
      if (!saved.isSaved) {
        setProblems(saved.problems);
        setProblem("Not saved, nothing of it: see what is marked above.");
        return false;
      }
      setKnown(await loadSettings());
      setChanges({});
      return true;
    } catch (failed) {
      setProblem(`Not saved. ${problemText(failed)}`);
      return false;
    } finally {
      setBusy(false);
    }
  };
  const change = (next: Changes) => {
    setChanges(next);
    setProblems({});
    setProblem(null);
  };
  const form: Form | null = known && { known, changes, problems, isReadOnly: !may(who, "configure"), change };
  return { form, problem, isBusy, save, load };
}
