SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", presets: [SwaggerUIBundle.presets.apis], deepLinking: true });
