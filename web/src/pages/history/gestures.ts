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

/** Follows the pointers on `element` whose plot is at `plot()`, in pixels of the page; returns how to end it. */
export function follow(element: HTMLElement, plot: () => { left: number; width: number }, told: Gestures): () => void {
  const pointers = new Map<number, number>();
  let pressedAt: number | null = null;
  let before: readonly [number, number] | null = null;
  const share = (clientX: number) => {
    const { left, width } = plot();
    return (clientX - left) / width;
  };
  const inside = (at: number) => Math.min(1, Math.max(0, at));
  const two = (): readonly [number, number] | null => {
    const at = [...pointers.values()].map(share).sort((a, b) => a - b);
    return at.length === 2 ? (at as [number, number]) : null;
  };
  const part = (from: number, to: number): readonly [number, number] => [inside(share(Math.min(from, to))), inside(share(Math.max(from, to)))];

  const down = (event: PointerEvent) => {
    if (event.pointerType === "mouse") {
      if (event.button !== 0) return;
      pressedAt = event.clientX;
      element.setPointerCapture(event.pointerId);
      return;
    }
    pointers.set(event.pointerId, event.clientX);
    before = two();
    told.read(pointers.size === 1 ? inside(share(event.clientX)) : null);
  };
  const over = (event: PointerEvent) => {
    if (event.pointerType === "mouse") {
      const at = share(event.clientX);
      told.read(at >= 0 && at <= 1 ? at : null);
      if (pressedAt !== null) told.mark(Math.abs(event.clientX - pressedAt) < DRAG_MIN_PX ? null : part(pressedAt, event.clientX));
      return;
    }
    if (!pointers.has(event.pointerId)) return;
    pointers.set(event.pointerId, event.clientX);
    const after = two();
    if (before !== null && after !== null) {
      told.pinch(before, after);
      before = after;
    } else if (pointers.size === 1) told.read(inside(share(event.clientX)));
  };
  const up = (event: PointerEvent) => {
    if (event.pointerType === "mouse") {
      if (pressedAt !== null && Math.abs(event.clientX - pressedAt) >= DRAG_MIN_PX) told.choose(part(pressedAt, event.clientX));
      pressedAt = null;
      told.mark(null);
      return;
    }
    pointers.delete(event.pointerId);
    before = two();
  };
  // The system took the pointer, to scroll or for a call.
  const cancel = (event: PointerEvent) => {
    pointers.delete(event.pointerId);
    before = two();
    pressedAt = null;
    told.mark(null);
  };
  const leave = (event: PointerEvent) => {
    if (event.pointerType === "mouse") told.read(null);
  };
  const wheel = (event: WheelEvent) => {
    const unit = event.deltaMode === 1 ? LINE_PX : 1;
    const isSideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
    // The page scrolls under the wheel as everywhere, unless the chart is meant.
    if (!isSideways && !event.ctrlKey && document.activeElement !== element) return;
    event.preventDefault();
    if (isSideways) told.move(((event.deltaX || event.deltaY) * unit) / plot().width);
    else told.zoom(Math.exp(event.deltaY * unit * WHEEL_ZOOM), inside(share(event.clientX)));
  };

  const listeners: [string, EventListener, AddEventListenerOptions?][] = [
    ["pointerdown", down as EventListener],
    ["pointermove", over as EventListener],
    ["pointerup", up as EventListener],
    ["pointercancel", cancel as EventListener],
    ["pointerleave", leave as EventListener],
    ["wheel", wheel as EventListener, { passive: false }],
  ];
  for (const [name, listener, options] of listeners) element.addEventListener(name, listener, options);
  return () => {
    for (const [name, listener] of listeners) element.removeEventListener(name, listener);
  };
}
