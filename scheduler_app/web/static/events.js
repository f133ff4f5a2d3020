// Hears when there is something new. The stream is closed while nobody sees the page: a browser keeps
// only six connections to one address.

const AGAIN = 2000; // milliseconds

export class Events {
  /** `heard` gets each state that the service sends, and null when the service is not there. */
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
    clearTimeout(this.timer);
    if (this.source !== null || document.hidden) return;
    const source = new EventSource("api/v1/events");
    this.source = source;
    source.addEventListener("state", (event) => this.heard(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      if (this.source !== source) return;
      // a browser tries again by itself only where it was connected before
      this.close();
      this.heard(null);
      this.timer = setTimeout(() => this.open(), AGAIN);
    });
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
