"""How the pages look, in light and dark. CSS only: no font, no image, nothing that would have to be loaded."""

STYLE = """
:root{color-scheme:light dark;--bg:#f7f8fa;--card:#fff;--ink:#17202c;--soft:#5a6676;--rule:#dfe4ea;--good:#13714a;
--good-bg:#e2f4ea;--bad:#b3261e;--bad-bg:#fce8e6;--warn:#855400;--warn-bg:#fdf1d8;--link:#1a56b0;--bar:#6f9fd8}
@media(prefers-color-scheme:dark){:root{--bg:#11161d;--card:#19202a;--ink:#e6ebf2;--soft:#9dabbd;--rule:#2c3644;
--good:#6bd6a3;--good-bg:#123626;--bad:#ff9a92;--bad-bg:#46201d;--warn:#f2c66d;--warn-bg:#3d2f10;--link:#8ab8ff;--bar:#5b8fd0}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main,header,footer{max-width:1240px;margin:0 auto;padding:0 24px}
header{padding-top:28px}main{padding-bottom:32px}footer{padding-bottom:40px;color:var(--soft);font-size:13px}
a{color:var(--link);text-underline-offset:2px}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:3px solid var(--link);outline-offset:2px;border-radius:4px}
.skip{position:absolute;left:-999px}.skip:focus{left:16px;top:8px;background:var(--card);padding:6px 12px;z-index:2}
h1{font-size:28px;line-height:1.2;margin:6px 0 4px;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:18px;margin:36px 0 10px}
p{margin:4px 0 12px;max-width:75ch;overflow-wrap:anywhere}.soft{color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px;margin:20px 0 8px}
.tile{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:12px 16px}
.tile dt{color:var(--soft);font-size:13px}.tile dd{margin:2px 0 0;font-size:17px;font-weight:600;overflow-wrap:anywhere}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--rule);border-radius:10px}
table{border-collapse:collapse;width:100%}
caption{text-align:left;padding:10px 16px;color:var(--soft);font-size:13px}
th,td{padding:9px 16px;text-align:left;vertical-align:top;border-top:1px solid var(--rule)}
thead th{border-top:0;font-size:13px;font-weight:600;color:var(--soft);white-space:nowrap}
caption+thead th{border-top:1px solid var(--rule)}
tbody th{font-weight:600}tbody tr:hover{background:color-mix(in srgb,var(--link) 5%,transparent)}
td p,tbody th p,details{font-weight:400;font-size:13px;margin:1px 0 3px}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.name{min-width:210px;overflow-wrap:anywhere}
.badge{display:inline-block;padding:1px 9px;border-radius:99px;font-size:13px;font-weight:600;white-space:nowrap}
.good{background:var(--good-bg);color:var(--good)}.bad{background:var(--bad-bg);color:var(--bad)}
.warn{background:var(--warn-bg);color:var(--warn)}.none-yet{background:var(--rule);color:var(--ink)}
.cell{min-width:92px}.meter{display:block;height:5px;border-radius:3px;background:var(--rule);margin-top:4px;overflow:hidden}
.meter i{display:block;height:100%;background:var(--good)}.meter.low i{background:var(--bad)}.meter.mid i{background:var(--warn)}
.bars{display:block;overflow:visible}.bars .passed{fill:var(--bar)}.bars .failed rect{fill:var(--bad)}
.bars .cross{stroke:var(--bad);stroke-width:1.6}.bars .none{fill:var(--soft)}
.chart{display:block;width:100%;height:auto}.chart .line{fill:none;stroke:var(--bar);stroke-width:2;stroke-linejoin:round}
.chart .dot{fill:var(--link)}.chart .refused{fill:var(--card);stroke:var(--bad);stroke-width:2}
.chart text{fill:var(--soft);font-size:11px}.chart .usual{stroke:var(--soft);stroke-width:1;stroke-dasharray:4 4}
.panel{margin:0 0 12px;background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px 16px}
.error{color:var(--bad);font-size:13px;max-width:60ch;overflow-wrap:anywhere}
details{color:var(--soft)}summary{cursor:pointer;width:max-content}
code{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
@media print{.skip,details{display:none}.scroll{overflow:visible}body{background:#fff}}
"""
