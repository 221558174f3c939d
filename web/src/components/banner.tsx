// A strip that says what a person should know or do. `role` decides how a screen reader says it: alert at once, status when it is quiet.

import type { ComponentChildren } from "preact";
import { Button } from "./button";

interface BannerProps {
  kind: "information" | "success" | "warning" | "danger";
  title?: ComponentChildren;
  children?: ComponentChildren;
  role?: "alert" | "status";
}

export function Banner({ kind, title, children, role }: BannerProps) {
  return (
    <div class={`banner ${kind}`} role={role}>
      {title !== undefined && <strong class="banner-title">{title}</strong>}
      {children}
    </div>
  );
}

/** That what a page shows could not be read, why, and a way to try again. */
export function NotRead({ title, problem, again }: { title: string; problem: string | null; again(): void }) {
  if (problem === null) return null;
  return (
    <Banner kind="warning" role="alert" title={title}>
      <p>{problem}</p>
      <div>
        <Button onClick={again}>Try again</Button>
      </div>
    </Banner>
  );
}
