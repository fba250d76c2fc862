// Swagger UI has a dark mode but no rule for when to use it: follow the browser's setting.
const dark = matchMedia("(prefers-color-scheme: dark)");
const applyScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", applyScheme);
applyScheme();

const page = document.getElementById("docs").dataset;

// The contract as it works on this page: the server is the path that the page was opened below, whatever the host
// name, and only values that succeed here are prefilled.
const localContract = {
  statePlugins: {
    spec: {
      wrapActions: {
        updateJsonSpec: (update) => (contract) => {
          const path = new URL("." + page.basePath, document.baseURI).pathname;
          const { OrganizationId, Cursor } = contract.components.parameters;
          contract.servers = [{ url: path, description: "this server" }];
          OrganizationId.example = page.organization || undefined;
          delete Cursor.example;
          flattenProvenance(contract);
          contract.info.description = "*Authorize* with a token, *Try it out*, *Execute*.\n\n" + contract.info.description;
          for (const scheme of Object.values(contract.components.securitySchemes)) {
            scheme.description += " Paste the token alone, without Bearer. `packhooks token create` makes one.";
          }
          return update(contract);
        },
      },
    },
  },
};

// Swagger UI prints an extension that is an object the way its programmers see it.
function flattenProvenance(node) {
  if (!node || typeof node !== "object") return;
  const provenance = node["x-provenance"];
  if (provenance && provenance.published) {
    node["x-provenance"] = `published: ${Object.keys(provenance.published).join(", ")}; decided: ${provenance.decided.join(", ") || "nothing"}`;
  }
  Object.values(node).forEach(flattenProvenance);
}

// Every response repeats the same headers. Folded, the page is half as long. Swagger UI leaves out their x-provenance.
const foldedHeaders = {
  wrapComponents: {
    headers: (Headers, { React }) => (props) => {
      if (!props.headers || props.headers.size === 0) return null;
      const headers = props.headers.map((header) => header.update("description",
        (text) => `${text || ""} \`x-provenance: ${header.get("x-provenance")}\``));
      return React.createElement("details", null,
        React.createElement("summary", null, "Headers: " + headers.keySeq().join(", ")),
        React.createElement(Headers, { ...props, headers }));
    },
  },
};

SwaggerUIBundle({
  url: "openapi.yaml",
  dom_id: "#docs",
  plugins: [localContract, foldedHeaders],
  docExpansion: "full",
  defaultModelExpandDepth: 4, // a page, its webhooks and their properties
  deepLinking: true,
  showExtensions: true, // x-provenance
  showCommonExtensions: true, // the bounds of parameters
  persistAuthorization: false, // local storage would keep the token readable after the tab is closed
  validatorUrl: null, // no request to another origin
});
