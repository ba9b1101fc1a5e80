// Codes that are shown instead of typed: to the tablet's camera, or to a reader that types like a keyboard. No picture leaves
// the page, and none is kept.
"use strict";

{
  /** A reader types faster than people: from one key to the next, in milliseconds. */
  const READER_MS = 60;
  const LOOK_MS = 60;
  /** What a reader ends with, whatever somebody typed right before. */
  const CODE = /(?:keiin_pas_[\w-]{43}|\d{8})$/;
  /** What is looked at, in pixels: a code that fills a fifth of the picture is still sharp. */
  const WIDTH = 640;

  let kiosk;
  let video;
  let stream;
  let looking;
  let decoding;

  const can = () => Boolean(navigator.mediaDevices?.getUserMedia);

  function script(src) {
    return new Promise((resolve, reject) => {
      const element = Object.assign(document.createElement("script"), { src, onload: resolve, onerror: reject });
      document.head.append(element);
    });
  }

  /** What finds a QR code in a picture: the browser itself where it can, else ZXing. */
  async function decoder() {
    if ("BarcodeDetector" in window && (await BarcodeDetector.getSupportedFormats()).includes("qr_code")) {
      const detector = new BarcodeDetector({ formats: ["qr_code"] });
      return async (picture) => (await detector.detect(picture))[0]?.rawValue;
    }
    await script(document.body.dataset.reader);
    const overrides = { locateFile: () => document.body.dataset.wasm };
    await ZXingWASM.prepareZXingModule({ overrides, fireImmediately: true });
    const canvas = document.createElement("canvas");
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    return async (picture) => {
      canvas.width = Math.min(WIDTH, picture.videoWidth);
      canvas.height = Math.round((canvas.width * picture.videoHeight) / picture.videoWidth);
      pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
      const data = pen.getImageData(0, 0, canvas.width, canvas.height);
      const [found] = await ZXingWASM.readBarcodes(data, { formats: ["QRCode"], maxNumberOfSymbols: 1 });
      return found?.text;
    };
  }

  /** Made once, when there is time for it. */
  function ready() {
    decoding ??= decoder().catch((error) => {
      decoding = undefined;
      throw error;
    });
    return decoding;
  }

  function say(what) {
    for (const note of document.querySelectorAll("[data-camera-says]")) note.textContent = what ? note.dataset[what] : "";
  }

  async function open() {
    kiosk.over("camera");
    say();
    document.body.dataset.opened = Math.round(performance.now());
    const constraints = { audio: false, video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 720 } } };
    try {
      const [look, opened] = await Promise.all([ready(), navigator.mediaDevices.getUserMedia(constraints)]);
      stream = opened;
      if (document.body.dataset.over !== "camera") return close();
      video = Object.assign(document.createElement("video"), { muted: true, playsInline: true, srcObject: stream });
      moved();
      await video.play();
      watch(look);
    } catch {
      say("denied");
      close(true);
    }
  }

  async function watch(look) {
    const seen = video.videoWidth ? await look(video).catch(() => undefined) : undefined;
    if (!video) return;
    if (seen !== undefined) {
      document.body.dataset.scanned = Math.round(performance.now());
      if (kiosk.enter(seen)) return close();
      say("other");
    }
    looking = setTimeout(watch, LOOK_MS, look);
  }

  /** The picture goes with the language. */
  function moved() {
    if (!video) return;
    kiosk.face().querySelector("[data-video]")?.append(video);
    video.play().catch(() => {});
  }

  function close(stays) {
    clearTimeout(looking);
    for (const track of stream?.getTracks() ?? []) track.stop();
    video?.remove();
    video = stream = undefined;
    if (!stays && document.body.dataset.over === "camera") kiosk.over(null);
  }

  // ---- readers that type

  let typed = "";
  let last = 0;
  let before;

  function key(event) {
    const quick = event.timeStamp - last < READER_MS;
    last = event.timeStamp;
    if (event.key === "Enter") {
      const [code] = typed.normalize("NFKC").match(CODE) ?? [];
      typed = "";
      const field = document.activeElement;
      if (!quick || !code || field?.name === "code" || !kiosk.enter(code)) return;
      event.preventDefault();
      // It typed into what somebody was writing.
      if (before && before.field === field) field.value = before.value;
      return;
    }
    if (event.key.length !== 1 || event.ctrlKey || event.altKey || event.metaKey) return;
    if (!quick) {
      typed = "";
      const field = document.activeElement;
      before = field && "value" in field ? { field, value: field.value } : undefined;
    }
    typed += event.key;
  }

  window.kiosk = Object.assign(window.kiosk ?? {}, {
    scan: {
      can,
      open,
      close,
      moved,
      start(outer) {
        kiosk = outer;
        document.addEventListener("keydown", key, { capture: true });
        if (can()) (window.requestIdleCallback ?? setTimeout)(() => ready().catch(() => {}));
      },
    },
  });
}
