// Hears when there is something new. The stream is closed while nobody sees the page: a browser keeps
// only six connections to one address.

// Milliseconds: until a stream is asked for again, and after how long without an event it may be a dead one.
const AGAIN = 2000;
const QUIET = 60_000;

export class Events {
  /** `heard` is called when there may be something new, and again and again while there is no stream. */
  constructor(heard) {
    this.heard = heard;
    this.source = null;
    this.timer = null;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", () => this.open());
    this.open();
  }

  open() {
    if (this.source !== null || document.hidden) return;
    const source = new EventSource("api/v1/events");
    this.source = source;
    source.addEventListener("state", () => {
      this.openAgain(QUIET);
      this.heard();
    });
    source.addEventListener("error", () => {
      if (this.source !== source) return;
      // a browser tries again by itself only where it was connected before
      this.close();
      this.openAgain(AGAIN);
      this.heard();
    });
    this.openAgain(QUIET);
  }

  openAgain(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.close();
      this.open();
    }, milliseconds);
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
