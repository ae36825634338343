// @ts-check
// What JupyterLab loads: a file that is opened becomes the page that `nitro-workflow inspect --html` writes.
//
// A federated module is an object with `init` and `get`; JupyterLab's own come from the scope it shares.
"use strict";

/** @typedef {Record<string, Record<string, { get: () => Promise<() => any>, from: string }>>} Scope */

(() => {
  const NAME = "nitro-workflow";
  const FACTORY = "Nitro inspector";
  const TYPES = [
    { name: "nitro-eif", displayName: "Enclave image", extensions: [".eif"] },
    { name: "nitro-cose", displayName: "COSE message", extensions: [".cbor", ".cose"] },
    // An attestation document as a service saves it: attestation.bin, att_doc.bin, attestation-document.b64
    { name: "nitro-document", displayName: "Attestation document", extensions: [],
      pattern: "^att(estation)?([-_.]?doc(ument)?)?\\.(bin|raw|b64|base64|hex)$" },
  ];

  /** @type {Scope} */
  let shared = {};

  /** A page follows JupyterLab's theme, which is not the system's. */
  const theme = () => (document.body.dataset.jpThemeLight === "false" ? "dark" : "light");

  /** A module of the application itself, not another extension's copy. @param {string} name */
  async function take(name) {
    const offers = Object.values(shared[name]);
    const offer = offers.find((one) => one.from.startsWith("CORE")) ?? offers[0];
    return (await offer.get())();
  }

  /** The page of a file: Python reads it and judges it. @param {any} services @param {any} app @param {any} context */
  async function pageOf({ ServerConnection }, app, context) {
    const settings = app.serviceManager.serverSettings;
    const url = `${settings.baseUrl}${NAME}/page?path=${encodeURIComponent(context.localPath)}`;
    const answer = await ServerConnection.makeRequest(url, {}, settings);
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.message ?? answer.statusText);
    return told.page;
  }

  async function extension() {
    const names = ["docregistry", "services", "ui-components"].map((name) => `@jupyterlab/${name}`);
    const [registry, services, { fileIcon }, { Widget }] = await Promise.all([...names, "@lumino/widgets"].map(take));

    /** No content comes to the browser: an image has hundreds of megabytes. */
    class Models extends registry.Base64ModelFactory {
      get name() { return NAME; }
      get fileFormat() { return null; }
    }

    class Pages extends registry.ABCWidgetFactory {
      /** @param {any} app */
      constructor(app) {
        const kinds = TYPES.map((type) => type.name);
        super({ name: FACTORY, modelName: NAME, fileTypes: ["*", ...kinds], defaultFor: kinds, readOnly: true });
        this.app = app;
      }

      /** @param {any} context */
      createNewWidget(context) {
        const content = new Widget();
        const frame = document.createElement("iframe");
        frame.title = `Inspector: ${context.localPath}`;
        frame.style.cssText = "width: 100%; height: 100%; border: 0";
        frame.sandbox.add("allow-scripts"); // an origin of its own: what it runs cannot reach JupyterLab
        const refusal = document.createElement("p");
        refusal.style.cssText = "padding: 20px; color: var(--jp-ui-font-color1)";
        refusal.setAttribute("role", "alert");
        content.node.append(refusal, frame);
        let page = "";
        let asking = 0;
        const draw = () => { frame.srcdoc = page.replace("<html ", `<html data-theme="${theme()}" `); };
        const show = async () => {
          const mine = ++asking;
          const [found, refused] = await pageOf(services, this.app, context)
            .then((told) => [told, ""], (why) => ["", why.message ?? why]);
          if (mine !== asking) return;
          page = found;
          refusal.textContent = refused;
          if (page) draw();
          refusal.hidden = Boolean(page);
          frame.hidden = !page;
        };
        const themes = new MutationObserver(draw);
        themes.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
        content.disposed.connect(() => themes.disconnect());
        const reveal = context.ready.then(show);
        reveal.then(() => context.fileChanged.connect(show), () => {}); // not the first change: it was just shown
        return new registry.DocumentWidget({ content, context, reveal });
      }
    }

    return {
      id: `${NAME}:inspector`,
      description: "Opens enclave images and attestation documents in the inspector.",
      autoStart: true,
      /** @param {any} app */
      activate(app) {
        for (const type of TYPES) app.docRegistry.addFileType({ ...type, mimeTypes: [], fileFormat: "base64", icon: fileIcon });
        app.docRegistry.addModelFactory(new Models());
        app.docRegistry.addWidgetFactory(new Pages(app));
      },
    };
  }

  const page = /** @type {any} */ (globalThis);
  (page._JUPYTERLAB ??= {})[NAME] = {
    /** @param {Scope} scope */
    init(scope) { shared = scope; },
    async get() {
      const plugin = await extension();
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();
