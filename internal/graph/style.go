package graph

// style is the drawing's style sheet: light, and dark where the viewer prefers that.
const style = `
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans","DejaVu Sans",Arial,sans-serif;text-anchor:middle}
.title{font-size:17px;font-weight:600}.name{font-size:13px;font-weight:600}.detail,.note,.label text{font-size:11px}.note{font-weight:600}
.title,svg>.detail,.legend .detail{text-anchor:start}
.shape{stroke-width:1.4}.container>.shape{stroke-width:1.4}.frame{fill:none;stroke-width:1;stroke-dasharray:2 4;stroke-linecap:round}
.edge{fill:none;stroke-width:1.4}.edge.catch{stroke-dasharray:6 4}.edge.taken{stroke-width:2}
.not-reached>.shape{stroke-dasharray:4 3}.badge text{font-size:11px;font-weight:700}.badge circle{stroke-width:1.5}
.page{fill:#ffffff}.title,.name{fill:#1f2328}.detail,.label text{fill:#59636e}
.shape{fill:#f6f8fa;stroke:#8c959f}.container>.shape{fill:none}.frame{stroke:#c8d1da}.edge{stroke:#8c959f}.arrow path{fill:#8c959f}
.edge.catch{stroke:#bc4c00}.arrow-catch path,.arrow-catch-taken path{fill:#bc4c00}.label.catch text{fill:#bc4c00}
.run .edge{stroke:#c4ccd4}.run .arrow path,.run .arrow-catch path{fill:#c4ccd4}.run .label text{fill:#6e7781}
.run .edge.taken{stroke:#1f2328}.run .arrow-taken path{fill:#1f2328}.run .label.taken text{fill:#1f2328}.run .edge.catch.taken{stroke:#bc4c00}.run .label.catch.taken text{fill:#bc4c00}
.succeeded>.shape{fill:#dafbe1;stroke:#1a7f37}.succeeded>.note{fill:#1a7f37}.badge.succeeded circle{fill:#1a7f37;stroke:#ffffff}.container.succeeded>.shape{fill:none}
.failed>.shape{fill:#ffebe9;stroke:#cf222e}.failed>.note{fill:#cf222e}.badge.failed circle{fill:#cf222e;stroke:#ffffff}.container.failed>.shape{fill:none}
.caught>.shape{fill:#fff3d1;stroke:#9a6700}.caught>.note{fill:#9a6700}.badge.caught circle{fill:#9a6700;stroke:#ffffff}.container.caught>.shape{fill:none}
.running>.shape{fill:#ddf4ff;stroke:#0969da}.running>.note{fill:#0969da}.badge.running circle{fill:#0969da;stroke:#ffffff}.container.running>.shape{fill:none}
.aborted>.shape{fill:#eaeef2;stroke:#57606a}.aborted>.note{fill:#57606a}.badge.aborted circle{fill:#57606a;stroke:#ffffff}.container.aborted>.shape{fill:none}
.not-reached>.shape{fill:#ffffff;stroke:#c4ccd4}.not-reached>.name,.not-reached>.detail{fill:#6e7781}.badge text{fill:#ffffff}
@media (prefers-color-scheme:dark){
.page{fill:#0d1117}.title,.name{fill:#e6edf3}.detail,.label text{fill:#9198a1}
.shape{fill:#161b22;stroke:#7d8590}.container>.shape{fill:none}.frame{stroke:#3d444d}.edge{stroke:#7d8590}.arrow path{fill:#7d8590}
.edge.catch{stroke:#f0883e}.arrow-catch path,.arrow-catch-taken path{fill:#f0883e}.label.catch text{fill:#f0883e}
.run .edge{stroke:#3d444d}.run .arrow path,.run .arrow-catch path{fill:#3d444d}.run .label text{fill:#848d97}
.run .edge.taken{stroke:#e6edf3}.run .arrow-taken path{fill:#e6edf3}.run .label.taken text{fill:#e6edf3}.run .edge.catch.taken{stroke:#f0883e}.run .label.catch.taken text{fill:#f0883e}
.succeeded>.shape{fill:#12261e;stroke:#3fb950}.succeeded>.note{fill:#3fb950}.badge.succeeded circle{fill:#3fb950;stroke:#0d1117}.container.succeeded>.shape{fill:none}
.failed>.shape{fill:#2d1517;stroke:#f85149}.failed>.note{fill:#f85149}.badge.failed circle{fill:#f85149;stroke:#0d1117}.container.failed>.shape{fill:none}
.caught>.shape{fill:#2b2111;stroke:#d29922}.caught>.note{fill:#d29922}.badge.caught circle{fill:#d29922;stroke:#0d1117}.container.caught>.shape{fill:none}
.running>.shape{fill:#0f2337;stroke:#58a6ff}.running>.note{fill:#58a6ff}.badge.running circle{fill:#58a6ff;stroke:#0d1117}.container.running>.shape{fill:none}
.aborted>.shape{fill:#21262d;stroke:#9198a1}.aborted>.note{fill:#9198a1}.badge.aborted circle{fill:#9198a1;stroke:#0d1117}.container.aborted>.shape{fill:none}
.not-reached>.shape{fill:#0d1117;stroke:#3d444d}.not-reached>.name,.not-reached>.detail{fill:#848d97}.badge text{fill:#0d1117}
}
`
