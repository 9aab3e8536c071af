/// How a page looks, in light and dark.
extension MigrationPage {
    static let style = """
        <style>
        body{margin:0 auto;padding:8px 24px 48px;max-width:912px;font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,\
        "Helvetica Neue",Arial,sans-serif;color:\(PictureStyle.ink.light.css);background:\(PictureStyle.paper.light.css)}
        h1{font-size:26px;font-weight:600;margin:24px 0 4px}
        h2{font-size:19px;font-weight:600;margin:40px 0 8px}
        p{margin:4px 0;max-width:80ch}
        .wide{overflow-x:auto;margin:0 -24px;padding:0 24px}
        .wide>svg{display:block;margin:0 -24px}
        dl{display:flex;flex-wrap:wrap;gap:12px;margin:20px 0}
        dl>div{flex:1 1 130px;padding:12px 16px;border-radius:6px;background:\(PictureStyle.ground.light.css)}
        dd{margin:0;font-size:22px;font-weight:600;white-space:nowrap;font-variant-numeric:tabular-nums}
        .note{white-space:normal;font-size:13px;font-weight:400;line-height:1.35}
        .proofs{list-style:none;margin:0;padding:0}
        .proofs li{position:relative;padding:4px 0 4px 28px}
        .proofs li::before{position:absolute;left:0;font-weight:700;content:"✓"}
        .proofs .fails::before{content:"✗"}
        .proofs span{display:block}
        .words{display:flex;flex-wrap:wrap;gap:8px 24px;margin-top:12px}
        .lines{padding:8px 16px;border-radius:6px;min-width:180px;background:\(PictureStyle.ground.light.css)}
        code{display:block;font-size:13px}
        table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:12px 0}
        th,td{text-align:left;font-weight:400;padding:4px 24px 4px 0;vertical-align:top;\
        border-bottom:1px solid \(PictureStyle.grid.light.css)}
        .numbers th,.numbers td,td.end{text-align:right;white-space:nowrap}
        .stages th{white-space:nowrap}
        .stages td:last-child{min-width:300px}
        .columns{display:flex;flex-wrap:wrap;gap:0 64px;align-items:flex-start}
        summary{cursor:pointer;margin-top:8px}
        th[scope=col],dt,.note,.proofs span,.words p{color:\(PictureStyle.faint.light.css)}
        .holds::before{color:#1a7f37}
        .fails::before{color:#b01e2f}
        @media screen and (prefers-color-scheme:dark){
        body{color:\(PictureStyle.ink.dark.css);background:\(PictureStyle.paper.dark.css)}
        dl>div,.lines{background:\(PictureStyle.ground.dark.css)}
        th,td{border-color:\(PictureStyle.grid.dark.css)}
        th[scope=col],dt,.note,.proofs span,.words p{color:\(PictureStyle.faint.dark.css)}
        .holds::before{color:#4ac26b}
        .fails::before{color:#ff8f8f}
        }
        @media print{section{break-inside:avoid}}
        </style>

        """
}
