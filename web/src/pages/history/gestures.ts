// Pointers on the chart: a mouse reads by hovering and zooms by dragging, a finger reads by moving sideways (up and down scrolls the page), two
// fingers zoom and move, the wheel zooms with Ctrl or when the chart has the focus. Places are shares of the plot's width, 0 left and 1 right.

export interface Gestures {
  /** Where the chart is read; null: nowhere. */
  read(at: number | null): void;
  /** The part that is being dragged over; null: none any more. */
  mark(part: readonly [number, number] | null): void;
  /** The part that was dragged over: show it. */
  choose(part: readonly [number, number]): void;
  pinch(before: readonly [number, number], after: readonly [number, number]): void;
  zoom(factor: number, at: number): void;
  move(share: number): void;
}

/** Less than so many pixels is a click. */
const DRAG_MIN_PX = 6;
/** A notch of a wheel is about 100. */
const WHEEL_ZOOM = 0.002;
const LINE_PX = 16;

type Listeners = Record<string, (event: never) => void>;

/** The plot's place, in pixels of the page. */
export type Place = () => { left: number; width: number };

/** Follows the pointers on `element`; returns how to end it. */
export function follow(element: HTMLElement, plot: Place, told: Gestures): () => void {
  const mouse = mouseListeners(element, plot, told);
  const touch = touchListeners(plot, told);
  const listeners: [string, EventListener][] = Object.keys(mouse).map((name) => {
    const listener = (event: PointerEvent) => ((event.pointerType === "mouse" ? mouse : touch)[name] as ((event: PointerEvent) => void) | undefined)?.(event);
    return [name, listener as EventListener];
  });
  listeners.push(["wheel", wheelListener(element, plot, told) as EventListener]);
  for (const [name, listener] of listeners) element.addEventListener(name, listener, { passive: false });
  return () => {
    for (const [name, listener] of listeners) element.removeEventListener(name, listener);
  };
}

function share(plot: Place, clientX: number): number {
  const { left, width } = plot();
  return (clientX - left) / width;
}

function inside(at: number): number {
  return Math.min(1, Math.max(0, at));
}

function mouseListeners(element: HTMLElement, plot: Place, told: Gestures): Listeners {
  let pressedAt: number | null = null;
  const part = (from: number, to: number): readonly [number, number] => [
    inside(share(plot, Math.min(from, to))),
    inside(share(plot, Math.max(from, to))),
  ];
  const isDragged = (from: number, to: number) => Math.abs(to - from) >= DRAG_MIN_PX;
  const end = () => {
    pressedAt = null;
    told.mark(null);
  };
  return {
    pointerdown(event: PointerEvent) {
      if (event.button !== 0) return;
      pressedAt = event.clientX;
      element.setPointerCapture(event.pointerId);
    },
    pointermove(event: PointerEvent) {
      const at = share(plot, event.clientX);
      told.read(at >= 0 && at <= 1 ? at : null);
      if (pressedAt !== null) told.mark(isDragged(pressedAt, event.clientX) ? part(pressedAt, event.clientX) : null);
    },
    pointerup(event: PointerEvent) {
      if (pressedAt !== null && isDragged(pressedAt, event.clientX)) told.choose(part(pressedAt, event.clientX));
      end();
    },
    pointercancel: end,
    pointerleave: () => told.read(null),
  };
}

/** Pens too. What was read stays when the finger is lifted: it hid the chart. */
function touchListeners(plot: Place, told: Gestures): Listeners {
  const pointers = new Map<number, number>();
  let before: readonly [number, number] | null = null;
  const two = (): readonly [number, number] | null => {
    const at = [...pointers.values()].map((clientX) => share(plot, clientX)).sort((a, b) => a - b);
    return at.length === 2 ? (at as [number, number]) : null;
  };
  const end = (event: PointerEvent) => {
    pointers.delete(event.pointerId);
    before = two();
  };
  return {
    pointerdown(event: PointerEvent) {
      pointers.set(event.pointerId, event.clientX);
      before = two();
      told.read(pointers.size === 1 ? inside(share(plot, event.clientX)) : null);
    },
    pointermove(event: PointerEvent) {
      if (!pointers.has(event.pointerId)) return;
      pointers.set(event.pointerId, event.clientX);
      const after = two();
      if (before !== null && after !== null) {
        told.pinch(before, after);
        before = after;
      } else if (pointers.size === 1) told.read(inside(share(plot, event.clientX)));
    },
    pointerup: end,
    // The system took the pointer, to scroll or for a call.
    pointercancel: end,
  };
}

function wheelListener(element: HTMLElement, plot: Place, told: Gestures): (event: WheelEvent) => void {
  return (event) => {
    const unit = event.deltaMode === 1 ? LINE_PX : 1;
    const isSideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
    // The page scrolls under the wheel as everywhere, unless the chart is meant.
    if (!isSideways && !event.ctrlKey && document.activeElement !== element) return;
    event.preventDefault();
    if (isSideways) told.move(((event.deltaX || event.deltaY) * unit) / plot().width);
    else told.zoom(Math.exp(event.deltaY * unit * WHEEL_ZOOM), inside(share(plot, event.clientX)));
  };
}
