// An overview first: what is folded is not drawn, and there is much of it.
const folded = { docExpansion: "none", defaultModelsExpandDepth: 0 };
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", presets: [SwaggerUIBundle.presets.apis], deepLinking: true, ...folded });
// Swagger UI takes a link to a part of the page for one of its own, and prevents it.
document.querySelector("a[href='#main']").addEventListener("click", () => document.getElementById("main").focus());
