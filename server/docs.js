SwaggerUIBundle({
  url: "docs/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null, // no request to another origin
});
