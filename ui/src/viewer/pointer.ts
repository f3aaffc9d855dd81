import type { Pane } from "./Pane";
import { pointsOf } from "./measure";
import type { Point2 } from "./space";
import type { Tool } from "./state";
import type { Viewer } from "./Viewer";

/** What a drag does. */
type Drag = Tool | "pinch";

/** Pixels of a drag for one layer. */
const perLayer = 6;

interface Held {
  id: number;
  at: Point2;
}

/** Turns what a mouse, a pen or fingers do on a pane into what the viewer does. */
export class Pointer {
  private readonly held = new Map<number, Held>();
  private drag: Drag | null = null;
  private rest = 0;
  private start: Point2 = [0, 0];

  constructor(
    private readonly viewer: Viewer,
    private readonly pane: Pane,
    private readonly surface: HTMLElement,
  ) {
    surface.addEventListener("pointerdown", this.down);
    surface.addEventListener("pointermove", this.move);
    surface.addEventListener("pointerup", this.up);
    surface.addEventListener("pointercancel", this.up);
    surface.addEventListener("wheel", this.wheel, { passive: false });
    surface.addEventListener("contextmenu", this.menu);
  }

  close() {
    const { surface } = this;
    surface.removeEventListener("pointerdown", this.down);
    surface.removeEventListener("pointermove", this.move);
    surface.removeEventListener("pointerup", this.up);
    surface.removeEventListener("pointercancel", this.up);
    surface.removeEventListener("wheel", this.wheel);
    surface.removeEventListener("contextmenu", this.menu);
  }

  private at(event: MouseEvent): Point2 {
    const { left, top } = this.surface.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  private readonly menu = (event: Event) => event.preventDefault();

  private readonly wheel = (event: WheelEvent) => {
    event.preventDefault();
    this.viewer.activate(this.pane.name);
    if (event.ctrlKey) {
      this.pane.zoom(Math.exp(-event.deltaY / 300), this.at(event));
      return;
    }
    // A wheel says 100 a notch, a touchpad a few at a time.
    this.rest += event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY / (Math.abs(event.deltaY) >= 50 ? Math.abs(event.deltaY) : 30) : Math.sign(event.deltaY);
    const whole = Math.trunc(this.rest);
    if (whole === 0) return;
    this.rest -= whole;
    this.viewer.scroll(whole, this.pane.name);
  };

  private readonly down = (event: PointerEvent) => {
    this.viewer.activate(this.pane.name);
    // Of a pane that is clicked at, keys are meant for it.
    this.surface.focus({ preventScroll: true });
    if (this.held.size >= 2) return;
    this.surface.setPointerCapture(event.pointerId);
    this.held.set(event.pointerId, { id: event.pointerId, at: this.at(event) });
    if (this.held.size === 2) {
      this.viewer.setDraft(null);
      this.drag = "pinch";
      return;
    }
    this.rest = 0;
    this.start = this.at(event);
    this.drag = this.dragOf(event);
    this.begin(this.start);
    event.preventDefault();
  };

  /** Left: the chosen tool; middle: pan; right: zoom; left with Shift or Ctrl: the crosshair. */
  private dragOf(event: PointerEvent): Drag {
    if (event.button === 1) return "pan";
    if (event.button === 2) return "zoom";
    if (event.shiftKey || event.ctrlKey) return "crosshair";
    return this.viewer.state().tool;
  }

  private begin(at: Point2) {
    const { viewer, pane, drag } = this;
    const point = pane.pointAt(at);
    switch (drag) {
      case "crosshair":
        if (point) viewer.pointTo(point);
        return;
      case "length":
      case "ellipse":
      case "probe":
        if (point) viewer.setDraft({ kind: drag, points: Array.from({ length: pointsOf[drag] }, () => point), pane: pane.name });
        return;
      case "brush":
      case "eraser":
        if (point) viewer.paint(point, pane.axis, drag === "brush");
        return;
      default:
    }
  }

  private readonly move = (event: PointerEvent) => {
    const held = this.held.get(event.pointerId);
    if (!held || this.drag === null) return;
    const [from, to] = [held.at, this.at(event)];
    if (this.drag === "pinch") {
      this.pinch(event.pointerId, to);
      return;
    }
    held.at = to;
    const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
    if (dx === 0 && dy === 0) return;
    this.dragged(to, dx, dy);
  };

  private dragged(to: Point2, dx: number, dy: number) {
    const { viewer, pane, drag } = this;
    switch (drag) {
      case "window": {
        const { window } = viewer.state();
        if (!window) return;
        const gain = Math.max(1, window.width / 300);
        viewer.setWindow({ width: Math.max(1, Math.round(window.width + dx * gain)), centre: Math.round(window.centre + dy * gain) });
        return;
      }
      case "pan":
        pane.pan(dx, dy);
        return;
      case "zoom":
        pane.zoom(Math.exp(-dy / 150), [this.surface.clientWidth / 2, this.surface.clientHeight / 2]);
        return;
      case "scroll": {
        this.rest += dy / perLayer;
        const whole = Math.trunc(this.rest);
        this.rest -= whole;
        if (whole !== 0) viewer.scroll(whole, pane.name);
        return;
      }
      case "crosshair": {
        const point = pane.pointAt(to);
        if (point) viewer.pointTo(point);
        return;
      }
      case "length":
      case "ellipse":
      case "probe":
        this.stretch(to);
        return;
      case "brush":
      case "eraser":
        this.stroke([to[0] - dx, to[1] - dy], to);
        return;
      default:
    }
  }

  /** A stroke leaves no gaps, however fast the pointer went. */
  private stroke(from: Point2, to: Point2) {
    const { viewer, pane, drag } = this;
    const steps = Math.max(1, Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / 3));
    for (let step = 1; step <= steps; step += 1) {
      const part = step / steps;
      const point = pane.pointAt([from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part]);
      if (point) viewer.paint(point, pane.axis, drag === "brush");
    }
  }

  /** The end of what is being measured follows the pointer; an ellipse fills the rectangle of the drag. */
  private stretch(to: Point2) {
    const { viewer, pane } = this;
    const draft = viewer.currentDraft();
    const [start] = draft?.points ?? [];
    const end = pane.pointAt(to);
    if (!draft || !start || !end) return;
    if (draft.kind === "length") viewer.setDraft({ ...draft, points: [start, end] });
    if (draft.kind === "probe") viewer.setDraft({ ...draft, points: [end] });
    if (draft.kind !== "ellipse") return;
    const from = this.start;
    const middle: Point2 = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
    const points = [middle, [to[0], middle[1]] as Point2, [middle[0], to[1]] as Point2].map((at) => pane.pointAt(at));
    if (points.every((point) => point !== null)) viewer.setDraft({ ...draft, points });
  }

  private pinch(id: number, to: Point2) {
    const held = this.held.get(id);
    const other = [...this.held.values()].find((one) => one.id !== id);
    if (!held || !other) return;
    const before = Math.hypot(held.at[0] - other.at[0], held.at[1] - other.at[1]);
    const after = Math.hypot(to[0] - other.at[0], to[1] - other.at[1]);
    this.pane.pan((to[0] - held.at[0]) / 2, (to[1] - held.at[1]) / 2);
    if (before > 10 && after > 10) this.pane.zoom(after / before, [(to[0] + other.at[0]) / 2, (to[1] + other.at[1]) / 2]);
    held.at = to;
  }

  private readonly up = (event: PointerEvent) => {
    if (!this.held.delete(event.pointerId)) return;
    if (this.held.size > 0) return;
    const { viewer } = this;
    const draft = viewer.currentDraft();
    this.drag = null;
    if (!draft) return;
    viewer.setDraft(null);
    const [first, second] = draft.points;
    const moved = draft.kind === "probe" || (first && second && first.some((part, axis) => Math.abs(part - (second[axis] ?? part)) > 0.2));
    if (moved && event.type === "pointerup") viewer.onMeasured(draft);
  };
}
