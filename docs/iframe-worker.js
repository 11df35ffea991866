// A browser starts no worker from a page on disk: there the search runs in a hidden frame, with the same messages.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const page = frame.contentDocument;
      page.open();
      page.write("<!doctype html><body></body>");
      page.close();
      this.inside = frame.contentWindow;
      this.inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      this.inside.importScripts = (...addresses) => addresses.reduce((before, each) => before.then(() => load(page, each)), Promise.resolve());
      this.ready = load(page, address);
    }

    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })));
    }
  };
}

function load(page, address) {
  return new Promise((done, failed) => {
    const script = page.createElement("script");
    Object.assign(script, { src: address, onload: done, onerror: failed });
    page.body.append(script);
  });
}
