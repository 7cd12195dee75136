"""How the page of a run looks (CSS)."""

STYLE = """
html, body, #app { margin: 0; height: 100%; overflow: hidden; }
.page { display: grid; grid-template-columns: 290px minmax(300px, 1fr) 330px; height: 100vh; box-sizing: border-box;
  font: 13px/1.35 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #222; background: #fff; }
.left, .right { overflow-y: auto; padding: 12px 14px; box-sizing: border-box; background: #f7f6f4; }
.left { border-right: 1px solid #ddd; }
.right { border-left: 1px solid #ddd; }
.middle { display: flex; flex-direction: column; min-width: 0; position: relative; }
h1 { font-size: 15px; line-height: 1.3; margin: 0 0 6px; }
.heading { font-size: 10.5px; font-weight: 700; letter-spacing: .04em; color: #666; margin: 12px 0 3px; }
.row { display: flex; align-items: center; gap: 6px; padding: 1.5px 0; cursor: pointer; }
.row.off .name, .row.off .count { color: #999; }
.row.off .mark { opacity: .25; }
.row input { margin: 0; width: 14px; height: 14px; flex: none; accent-color: #444; }
.blank { width: 14px; flex: none; }
.name { flex: 1; }
.count { font-variant-numeric: tabular-nums; color: #444; white-space: nowrap; }
.mark { width: 12px; height: 12px; flex: none; box-sizing: border-box; }
.mo { border-radius: 50%; background: var(--colour); border: 1px solid #5558; }
.ms { background: var(--colour); border: 1px solid #5558; }
.mc { border: 1.5px solid #222; }
.mt { height: 3px; background: var(--colour); }
.pair { display: flex; gap: 8px; align-items: center; margin: 3px 0; }
select, button { font: inherit; color: inherit; background: #fff; border: 1px solid #bbb; border-radius: 5px;
  padding: 3px 8px; }
button { cursor: pointer; }
button:hover { background: #eee; }
.pair select { flex: 1; min-width: 0; }
.buttons { display: flex; flex-wrap: wrap; gap: 5px; }
input[type=range] { width: 100%; accent-color: #14365c; }
.bar { margin: 6px 0; }
.colours { height: 12px; border: 1px solid #999; margin-top: 3px; }
.ends { display: flex; justify-content: space-between; font-variant-numeric: tabular-nums; font-size: 12px; }
.canvas { flex: 1; min-height: 0; position: relative; container-type: size; overflow: hidden; }
.picture { position: absolute; inset: 0; width: 100%; height: 100%; cursor: grab; user-select: none; }
.ruler { position: absolute; left: 22px; bottom: 16px; border-bottom: 4px solid #222; text-align: center;
  font-size: 12px; padding-bottom: 2px; pointer-events: none; text-shadow: 0 0 4px #fff, 0 0 4px #fff; }
.stamp { position: absolute; left: 22px; top: 14px; font-size: 15px; pointer-events: none;
  text-shadow: 0 0 4px #fff, 0 0 4px #fff; }
.message { position: absolute; left: 10%; right: 10%; bottom: 64px; padding: 8px 12px; white-space: pre-wrap;
  background: #fff4e0; border: 1px solid #d9a441; border-radius: 6px; }
.foot { display: flex; gap: 12px; align-items: center; padding: 8px 16px; border-top: 1px solid #ddd;
  background: #f7f6f4; }
.foot button { min-width: 64px; }
.time { white-space: nowrap; min-width: 84px; text-align: right; font-variant-numeric: tabular-nums; }
.running { color: #fff; background: #00707a; border-radius: 9px; padding: 1px 9px; font-size: 11.5px; }
.picked { border-collapse: collapse; width: 100%; }
.picked td { padding: 2px 0; border-bottom: 1px solid #e4e2de; }
.picked td:last-child { text-align: right; font-variant-numeric: tabular-nums; }
.hint { color: #666; }
.curves { position: relative; margin: 0 -8px; }
.curves img { width: 100%; display: block; }
.now { position: absolute; width: 0; border-left: 1.5px dashed #b0123b; }
"""
