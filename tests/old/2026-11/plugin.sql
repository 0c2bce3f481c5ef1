BEGIN TRANSACTION;
CREATE TABLE cross_signing (
            user_id      TEXT PRIMARY KEY,
            key_id       TEXT NOT NULL,
            recovery_key TEXT NOT NULL,
            made_at      DOUBLE PRECISION NOT NULL
        );
INSERT INTO "cross_signing" VALUES('@otterbot:lab.test','FWMy+voNcoENkisqiKBUqIz+5R/XoQtm','EsTc 0000 0000 0000',1.79597717893219566351e+09);
CREATE TABLE handled (
        event_id TEXT PRIMARY KEY,
        room_id  TEXT NOT NULL,
        at       DOUBLE PRECISION NOT NULL
    );
INSERT INTO "handled" VALUES('$f1pL2ClyJEdl3O9sd2UHGnnvMMVzGR5_kL8bPOx5yU4','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o',1.79597719118850660327e+09);
INSERT INTO "handled" VALUES('$JuEwdxTlJQFfA4wXL515A0W5IHTFQFezN48ERGnEjPE','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o',1.7959772270791559219e+09);
INSERT INTO "handled" VALUES('$qr78symKsB3n-ui9fcMggtd9RkUKH59efov2e59Bk94','!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto',1.7959772293193879127e+09);
INSERT INTO "handled" VALUES('$MfdkIc-IXmEZI-y4Wmih1C2FHG8nThyJ2eCSmpN9qmQ','!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto',1.79597723319172215459e+09);
INSERT INTO "handled" VALUES('$SH5edGQ-AZU_0xF9XIU-5pBzu_1Wr4pCosvMa5Xzjuo','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o',1.79597723463811278338e+09);
INSERT INTO "handled" VALUES('$DT7CSh7vk-oWeE90K-2Ia_0XEyREChQlu5dTyikz-CI','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o',1.79597723564321136479e+09);
INSERT INTO "handled" VALUES('$AR9pW9OCeI2rabsfZB63RKlbaFyEkLpvIxNjbdHgdgY','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o',1.7959772427224442959e+09);
INSERT INTO "handled" VALUES('$rW46tz9m3VTg9XHjGmE9bA4NRt259tQVRvoSaVCqmAM','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o',1.79597724487571883201e+09);
INSERT INTO "handled" VALUES('$nb8I_I9XbVQrLChhE8iOu_3nJ1hLHdyoAjyxXU3ChNQ','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o',1.79597724697468805318e+09);
INSERT INTO "handled" VALUES('$IRv374bdAzcfehr7zEK9h47O4yP04iJxLr7QVcCcdxY','!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto',1.79597724752353429789e+09);
INSERT INTO "handled" VALUES('$nvQFcYuuTBf0FGpVnHCKuEQF_MYEQ4jIsIEt3ETPgOU','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o',1.79597724984596157074e+09);
INSERT INTO "handled" VALUES('$2ES2B0Wvi2xGs8aC3-wkUV5JA7NEFnGJ1zpmc1BTNwU','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o',1.79597725329534554485e+09);
INSERT INTO "handled" VALUES('$dtS6FrMEYS01cMucw0Ejk9STeTEthQTH3N-nQ4MSGv8','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o',1.79597725393514132501e+09);
INSERT INTO "handled" VALUES('$Hja1-6hVhXsiMESTlqYWitQJX1XO4HK9dNG6TFC48Ak','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o',1.79597725449508595473e+09);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "meta" VALUES('installed_at','1795977178.583535');
CREATE TABLE parts (
        key          TEXT NOT NULL,
        part         TEXT NOT NULL,
        room_id      TEXT NOT NULL,
        kind         TEXT NOT NULL,
        rank         INTEGER NOT NULL,
        state        TEXT NOT NULL,
        content      TEXT,
        event_id     TEXT,
        image_id     TEXT,
        acked        INTEGER NOT NULL,
        delete_owed  INTEGER NOT NULL,
        updated_at   DOUBLE PRECISION NOT NULL, reason TEXT, moved INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (key, part)
    );
INSERT INTO "parts" VALUES('6c6010d831395798698475554b13fe450d5b9d95','greeting','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','message',10,'sent',NULL,'$eIgEyvYzqn9FwnlIMxMufrI0lSWQHwRpNdBxXdVo_N0',NULL,0,0,1.79597718701968574522e+09,NULL,0);
INSERT INTO "parts" VALUES('415ab5664180c8622fe981d91df7c0c9566aeebc','greeting','!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto','message',10,'sent',NULL,'$HR8VzN-DXGBH7xh6C_pzMDHxNXm8y0rfJESIQMKrjEc',NULL,0,0,1.79597719079533791547e+09,NULL,0);
INSERT INTO "parts" VALUES('0e5d36a5a7694ef5bd68c92628e959230c3a3586','ack','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','reaction',30,'sent',NULL,'$A66stPxDRPMQXy_H-Xf9z9Nk_v_tjeLO9adTob_AVQU',NULL,0,0,1.79597719146424865724e+09,NULL,0);
INSERT INTO "parts" VALUES('0e5d36a5a7694ef5bd68c92628e959230c3a3586','status','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','message',20,'sent',NULL,'$dmzKs2D8OZbvNR_vMCxWvg9Vdhs7IAa3QJaWxXSVMJ4',NULL,0,0,1.79597719252678322786e+09,NULL,0);
INSERT INTO "parts" VALUES('0e5d36a5a7694ef5bd68c92628e959230c3a3586','picture/0','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','message',0,'sent',NULL,'$xBzbFpS_EQGn2UNkaogo5TdkFYphCPPhQSte3d7lNX0','44f016843632435ab2522739bb095dbe',1,0,1.79597722635997533802e+09,NULL,0);
INSERT INTO "parts" VALUES('0e5d36a5a7694ef5bd68c92628e959230c3a3586','done','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','reaction',30,'sent',NULL,'$phfF0ujUcX6Nqae8XqzmCL_p7tclqR1QrDmj6GK_DdQ',NULL,0,0,1.79597722700879430766e+09,NULL,0);
INSERT INTO "parts" VALUES('0e5d36a5a7694ef5bd68c92628e959230c3a3586','unack','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','redaction',30,'sent',NULL,'$qNHNT1uZiMjBsYgL-6HvRbTEXMROf3d5l1DPy5MVZZg',NULL,0,0,1.79597722770386171347e+09,NULL,0);
INSERT INTO "parts" VALUES('0e5d36a5a7694ef5bd68c92628e959230c3a3586','status/final','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','edit',40,'sent',NULL,'$h1nlujc0bxF43LDatTaBe1ZGOem--eQOGVwihVmwX5k',NULL,0,0,1.79597722845906257634e+09,NULL,0);
INSERT INTO "parts" VALUES('2af4844745fed5b54da9ec12e3a6a28ec0fa4c55','reply','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','message',10,'sent',NULL,'$QtON42hOJEjecRSYu2wUCCblOcE-QjGQ94eW9-EBdgg',NULL,0,0,1.7959772282762441635e+09,NULL,0);
INSERT INTO "parts" VALUES('6cabcbdb41185ea1a710b2b1c53cb2b3d022024c','ack','!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto','reaction',30,'sent',NULL,'$pcgcCQYrAJ8O8wy5UXuEOtKZpeo6JFI2kKrNk1yaYpU',NULL,0,0,1.7959772295293121338e+09,NULL,0);
INSERT INTO "parts" VALUES('6cabcbdb41185ea1a710b2b1c53cb2b3d022024c','status','!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto','message',20,'sent',NULL,'$Qx7BuRHZPJc5cC0X8EnZZt0vv2eDgWThy9PjYFHKjOo',NULL,0,0,1.79597723109536957738e+09,NULL,0);
INSERT INTO "parts" VALUES('6cabcbdb41185ea1a710b2b1c53cb2b3d022024c','picture/0','!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto','message',0,'sent',NULL,'$gupU0sUyzoGQHq5JrNia1lTypLgvXzGfwBVc_Bsk7Ww','f04ff5897f234fb78c7e1fc7bca8c007',1,0,1.79597723166315364831e+09,NULL,0);
INSERT INTO "parts" VALUES('6cabcbdb41185ea1a710b2b1c53cb2b3d022024c','done','!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto','reaction',30,'sent',NULL,'$5ylz6jPeVcRMCWedQXsHwzTuNG-2vNSYXEsjIaeaNc4',NULL,0,0,1.79597723260314679144e+09,NULL,0);
INSERT INTO "parts" VALUES('6cabcbdb41185ea1a710b2b1c53cb2b3d022024c','unack','!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto','redaction',30,'sent',NULL,'$yHyTg-KfoMGVi6j0IBWISWK73GYGfjWi1ijMwPj-Wm8',NULL,0,0,1.79597723296147251123e+09,NULL,0);
INSERT INTO "parts" VALUES('6cabcbdb41185ea1a710b2b1c53cb2b3d022024c','status/final','!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto','edit',40,'sent',NULL,'$F5vrGKsaNZoHe7VVGq-4aetFGsEyUJzu86z2rSJg81g',NULL,0,0,1.79597723340268945694e+09,NULL,0);
INSERT INTO "parts" VALUES('9770564ffab1c22ac0c673982f6967a829c27024','reply','!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto','message',10,'sent',NULL,'$chECi-GMcfdXvM_spmv15VKuq54ikGlI9Y_G-V3fLYk',NULL,0,0,1.79597723372309899326e+09,NULL,0);
INSERT INTO "parts" VALUES('d635363aa01c349a508b5e69d1f7bb6a40fa8fbe','reply','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','message',10,'sent',NULL,'$T29qBT4d5lB59ngxjwkAbKKRmeI3GP4RFogTQntGi8I',NULL,0,0,1.79597723485130763058e+09,NULL,0);
INSERT INTO "parts" VALUES('65d3a2b9c9c21d3cd90fdea413e523174ecda0b9','ack','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','reaction',30,'sent',NULL,'$_lqC0lV_2ATjInKTLXikBgJc66Xw9R2t28_ELeloD94',NULL,0,0,1.79597723656896948816e+09,NULL,0);
INSERT INTO "parts" VALUES('65d3a2b9c9c21d3cd90fdea413e523174ecda0b9','chat/1','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','message',0,'sent',NULL,'$FW9N8AqEG-Wk2b0zslSNkWdmSSmpvoDb8s9bP3SgTR8',NULL,0,0,1.79597723821829533571e+09,NULL,0);
INSERT INTO "parts" VALUES('65d3a2b9c9c21d3cd90fdea413e523174ecda0b9','done','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','reaction',30,'sent',NULL,'$fi30QIIO32vUpcbA5oKhl7AlUPEaeng6cWfnOcCx8rI',NULL,0,0,1.79597723943122339253e+09,NULL,0);
INSERT INTO "parts" VALUES('65d3a2b9c9c21d3cd90fdea413e523174ecda0b9','unack','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','redaction',30,'sent',NULL,'$uTLYgcELHvp7f-IiSWqVTHp_VpxbK46nlB9O9bz93vs',NULL,0,0,1.79597724086412858959e+09,NULL,0);
INSERT INTO "parts" VALUES('7d5a24039a5f5fdab9dec19dad895708155ce18a','ack','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','reaction',30,'sent',NULL,'$Vb0jWyESyO4qbDCrvkiI93CqgPDPjOhgE_Qf7TqfyC8',NULL,0,0,1.79597724345037150386e+09,NULL,0);
INSERT INTO "parts" VALUES('7d5a24039a5f5fdab9dec19dad895708155ce18a','status','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','message',20,'sent',NULL,'$NjV-DP1Fq-LWrthMw_PrFsfee97fSGYb00065tilehg',NULL,0,0,1.79597724441529655453e+09,NULL,0);
INSERT INTO "parts" VALUES('15935b3aff395606c744bca364183f74ffb7ab7c','reply','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','message',10,'sent',NULL,'$XHvHY0-vpvKwfKl-PRQAetcutYSiGZcOmvccwWz7zpI',NULL,0,0,1.79597724595155191422e+09,NULL,0);
INSERT INTO "parts" VALUES('7d5a24039a5f5fdab9dec19dad895708155ce18a','done','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','reaction',30,'sent',NULL,'$MHEbC5wXBGH7o7SgEGgVWISWnrHTFrrZFko_0gm6Cok',NULL,0,0,1.79597724534381580352e+09,NULL,0);
INSERT INTO "parts" VALUES('7d5a24039a5f5fdab9dec19dad895708155ce18a','unack','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','redaction',30,'sent',NULL,'$LB3ySwb9A7Oyfdp620HQ2AfB_S7EdtAV8n9MC28YkRg',NULL,0,0,1.79597724637106895446e+09,NULL,0);
INSERT INTO "parts" VALUES('7d5a24039a5f5fdab9dec19dad895708155ce18a','status/final','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','edit',40,'sent',NULL,'$8vCurz9aGhcJKi7TwsgPRZM3SQBZSIt-s7gFIUKX0QQ',NULL,0,0,1.79597724689146041867e+09,NULL,0);
INSERT INTO "parts" VALUES('71f98fda76a6e5c092098a4b8943ea482934e4d4','ack','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','reaction',30,'sent',NULL,'$rcJKuS7xh9iVe_L3yn-6MB5A2yhXiZd0zg-zPcnsmCQ',NULL,0,0,1.79597724709301114084e+09,NULL,0);
INSERT INTO "parts" VALUES('4116edb088584cc823b54598a53def6f01c266ab','ack','!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto','reaction',30,'sent',NULL,'$d7Rh5APqzDt3el4hnTecnPgEWAikORqLa7dDYXd1RAA',NULL,0,0,1.79597724822143173218e+09,NULL,0);
INSERT INTO "parts" VALUES('71f98fda76a6e5c092098a4b8943ea482934e4d4','status','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','message',20,'sent',NULL,'$RtDxbfZF9MMV89BE1cTtWPlEEJ1RnVxA1cIVh-HfzW0',NULL,0,0,1.79597724869125437738e+09,NULL,0);
INSERT INTO "parts" VALUES('4116edb088584cc823b54598a53def6f01c266ab','status','!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto','message',20,'sent',NULL,'$cE8gTZordfOAIbxUIVp-QbkXgUUMR-OwGPSoqkFQs14',NULL,0,0,1.79597724916447305677e+09,NULL,0);
INSERT INTO "parts" VALUES('7cce4af2fbd3bb7d3754dd04eb551321ce88f613','ack','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','reaction',30,'sent',NULL,'$WH7qZYf63x7DoUm0hwRwsSTLoYr35AvSQf6dPMVUou0',NULL,0,0,1.79597725053936648365e+09,NULL,0);
INSERT INTO "parts" VALUES('7cce4af2fbd3bb7d3754dd04eb551321ce88f613','status','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','message',20,'sent',NULL,'$GqguQoAxAIu42nI8x9TYCLqETnWmxT8ghSyvFm0QRsc',NULL,0,0,1.79597725179132342333e+09,NULL,0);
INSERT INTO "parts" VALUES('80365eff88218005a615141e30e099eaba834e36','ack','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','reaction',30,'sent',NULL,'$wp3ERa8kQj7_nYennaFJcXbg4PXbBLwmqGOK102Eg6I',NULL,0,0,1.7959772535040779114e+09,NULL,0);
INSERT INTO "parts" VALUES('1892446f1874fe7eb3a11c118558e94477000b96','ack','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','reaction',30,'sent',NULL,'$LLB_MkRsOlvNN410llkkBfG_8O35aTM5aiTzCd1oPC0',NULL,0,0,1.79597725412083411219e+09,NULL,0);
INSERT INTO "parts" VALUES('80365eff88218005a615141e30e099eaba834e36','status','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','message',20,'sent',NULL,'$kpm-u1IZSzJ8EVm1SaKRfnYhYixK0-RKgzuK_ncqTkk',NULL,0,0,1.79597725511786079411e+09,NULL,0);
INSERT INTO "parts" VALUES('0b1e0e459a29f3e85a4ed3f8fc30a2ab46bbe86a','ack','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','reaction',30,'sent',NULL,'$wtPGgwCpmW5WOMz11Q-PygKY_WjB_9wVRt7tdeHW8j8',NULL,0,0,1.79597725620242977141e+09,NULL,0);
INSERT INTO "parts" VALUES('1892446f1874fe7eb3a11c118558e94477000b96','status','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','message',20,'sent',NULL,'$EDFDD1h6NrhaYorCxWUR3Vd3XOB1w0V78lQakyyxAq4',NULL,0,0,1.79597725579170036311e+09,NULL,0);
CREATE TABLE requests (
        key          TEXT PRIMARY KEY,
        room_id      TEXT NOT NULL,
        event_id     TEXT NOT NULL,
        edit_id      TEXT,
        sender       TEXT NOT NULL,
        kind         TEXT NOT NULL,
        state        TEXT NOT NULL,
        body         TEXT,
        asked        TEXT NOT NULL,
        notes        TEXT NOT NULL,
        private      INTEGER NOT NULL,
        thread_root  TEXT,
        reply_to     TEXT,
        job_id       TEXT,
        created_at   DOUBLE PRECISION NOT NULL,
        expires_at   DOUBLE PRECISION NOT NULL,
        submitted_at DOUBLE PRECISION,
        done_at      DOUBLE PRECISION,
        outcome      TEXT,
        cancel_owed  INTEGER NOT NULL
    , sent_at DOUBLE PRECISION, asked_in TEXT);
INSERT INTO "requests" VALUES('0e5d36a5a7694ef5bd68c92628e959230c3a3586','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','$f1pL2ClyJEdl3O9sd2UHGnnvMMVzGR5_kL8bPOx5yU4',NULL,'@member:lab.test','image','done','{"prompt": "otter, hat", "negative_prompt": "blurry", "model": "otter-mini", "steps": 2, "guidance_scale": 5.0, "sampler": "UniPC", "seed": 7, "count": 1, "asked": {"prompt": "otter, hat", "negative_prompt": "blurry", "steps": 2, "seed": 7}, "width": 128, "height": 128}','{"prompt": "otter, hat", "negative_prompt": "blurry", "steps": 2, "seed": 7}','[]',0,NULL,NULL,'01a22895220b863d43f7bcf9d8fd0c3f',1.7959771911819255352e+09,1.79606359118192553513e+09,1.79597719195549464224e+09,1.79597722647967576975e+09,'succeeded',0,1795977190.915,NULL);
INSERT INTO "requests" VALUES('6cabcbdb41185ea1a710b2b1c53cb2b3d022024c','!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto','$qr78symKsB3n-ui9fcMggtd9RkUKH59efov2e59Bk94',NULL,'@member:lab.test','image','done','{"prompt": "otter, hat", "negative_prompt": "blurry", "model": "otter-mini", "steps": 2, "guidance_scale": 5.0, "sampler": "UniPC", "seed": 7, "count": 1, "asked": {"prompt": "otter, hat", "negative_prompt": "blurry", "steps": 2, "seed": 7}, "width": 128, "height": 128}','{"prompt": "otter, hat", "negative_prompt": "blurry", "steps": 2, "seed": 7}','[]',1,NULL,NULL,'01a22895b42cf10e81aca382b2ed7297',1.79597722931915926933e+09,1.79606362931915926935e+09,1.79597722943391156194e+09,1.79597723173494553568e+09,'succeeded',0,1795977228.76,NULL);
INSERT INTO "requests" VALUES('65d3a2b9c9c21d3cd90fdea413e523174ecda0b9','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','$DT7CSh7vk-oWeE90K-2Ia_0XEyREChQlu5dTyikz-CI',NULL,'@member:lab.test','chat','done',NULL,'{}','[]',0,NULL,NULL,'01a22895cf2bc153cd763ab9c631e1ac',1.79597723563520264618e+09,1.79606363563520264625e+09,1.79597723635601305963e+09,1.79597723825990724559e+09,'succeeded',0,1795977235.062,NULL);
INSERT INTO "requests" VALUES('7d5a24039a5f5fdab9dec19dad895708155ce18a','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','$AR9pW9OCeI2rabsfZB63RKlbaFyEkLpvIxNjbdHgdgY',NULL,'@member:lab.test','image','done','{"prompt": "not any more", "negative_prompt": "", "model": "otter-mini", "steps": 100, "guidance_scale": 5.0, "sampler": "UniPC", "seed": 1984541064, "count": 1, "asked": {"prompt": "not any more", "steps": 100}, "width": 128, "height": 128}','{"prompt": "not any more", "steps": 100}','[]',0,NULL,NULL,'01a22895e8a4972843282879bb9f50a9',1.79597724272227239608e+09,1.7960636427222723961e+09,1.79597724283167123793e+09,1.79597724487571883201e+09,'cancelled',0,1795977242.215,NULL);
INSERT INTO "requests" VALUES('71f98fda76a6e5c092098a4b8943ea482934e4d4','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','$nb8I_I9XbVQrLChhE8iOu_3nJ1hLHdyoAjyxXU3ChNQ',NULL,'@member:lab.test','image','submitted','{"prompt": "an owl", "negative_prompt": "", "model": "otter-mini", "steps": 2, "guidance_scale": 5.0, "sampler": "UniPC", "seed": 8, "count": 2, "asked": {"prompt": "an owl", "steps": 2, "seed": 8, "count": 2}, "width": 128, "height": 128}','{"prompt": "an owl", "steps": 2, "seed": 8, "count": 2}','[]',0,NULL,NULL,'01a22895f94380dfe5e2402256795a66',1.79597724695622873308e+09,1.7960636469562287331e+09,1.79597724709373831753e+09,NULL,NULL,0,1795977246.117,NULL);
INSERT INTO "requests" VALUES('4116edb088584cc823b54598a53def6f01c266ab','!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto','$IRv374bdAzcfehr7zEK9h47O4yP04iJxLr7QVcCcdxY',NULL,'@member:lab.test','image','submitted','{"prompt": "a secret owl", "negative_prompt": "", "model": "otter-mini", "steps": 2, "guidance_scale": 5.0, "sampler": "UniPC", "seed": 9, "count": 1, "asked": {"prompt": "a secret owl", "steps": 2, "width": 96, "height": 128, "seed": 9}, "width": 96, "height": 128}','{"prompt": "a secret owl", "steps": 2, "width": 96, "height": 128, "seed": 9}','[]',1,NULL,NULL,'01a22895fb9f0694f561d5347373c199',1.79597724751866602904e+09,1.79606364751866602897e+09,1.79597724768748116495e+09,NULL,NULL,0,1795977247.19,NULL);
INSERT INTO "requests" VALUES('7cce4af2fbd3bb7d3754dd04eb551321ce88f613','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','$nvQFcYuuTBf0FGpVnHCKuEQF_MYEQ4jIsIEt3ETPgOU',NULL,'@member:lab.test','image','submitted','{"prompt": "an owl", "negative_prompt": "", "model": "otter-mini", "steps": 2, "guidance_scale": 5.0, "sampler": "UniPC", "seed": 8, "count": 1, "asked": {"prompt": "an owl", "steps": 2, "hires": {"scale": 1.5, "strength": 0.4}}, "width": 128, "height": 128, "hires": {"scale": 1.5, "strength": 0.4}}','{"prompt": "an owl", "steps": 2, "hires": {"scale": 1.5, "strength": 0.4}}','[]',0,NULL,NULL,'01a22896047e0257b9ba65081220c9a1',1.79597724983300828941e+09,1.79606364983300828934e+09,1.79597724994033336636e+09,NULL,NULL,0,1795977248.894,NULL);
INSERT INTO "requests" VALUES('80365eff88218005a615141e30e099eaba834e36','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','$2ES2B0Wvi2xGs8aC3-wkUV5JA7NEFnGJ1zpmc1BTNwU',NULL,'@member:lab.test','image','kept','{"prompt": "a wolf", "negative_prompt": "", "model": "otter-mini", "steps": 4, "guidance_scale": 5.0, "sampler": "UniPC", "seed": 10, "count": 1, "asked": {"prompt": "a wolf", "steps": 4, "seed": 10, "strength": 0.6}, "init_image": {"event": "$q6lhYygd5jqPm3MQbUU6f5393OFVB2JZGGiECw6hfbM"}, "strength": 0.6}','{"prompt": "a wolf", "steps": 4, "seed": 10, "strength": 0.6}','[]',0,NULL,'$q6lhYygd5jqPm3MQbUU6f5393OFVB2JZGGiECw6hfbM',NULL,1.79597725329493212702e+09,1.79606365329493212696e+09,NULL,NULL,NULL,0,1795977252.637,NULL);
INSERT INTO "requests" VALUES('1892446f1874fe7eb3a11c118558e94477000b96','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','$dtS6FrMEYS01cMucw0Ejk9STeTEthQTH3N-nQ4MSGv8',NULL,'@member:lab.test','image','kept','{"prompt": "a cat", "negative_prompt": "", "model": "otter-mini", "steps": 20, "guidance_scale": 3.5, "aspect": "3:2", "sampler": "Euler", "seed": 11, "count": 1, "asked": {"prompt": "a cat", "guidance_scale": 3.5, "aspect": "3:2", "seed": 11, "variation": {"seed": 42, "strength": 0.2}, "sampler": "euler"}, "variation": {"seed": 42, "strength": 0.2}}','{"prompt": "a cat", "guidance_scale": 3.5, "aspect": "3:2", "seed": 11, "variation": {"seed": 42, "strength": 0.2}, "sampler": "euler"}','[]',0,NULL,NULL,NULL,1.79597725392469668385e+09,1.79606365392469668387e+09,NULL,NULL,NULL,0,1795977253.643,NULL);
INSERT INTO "requests" VALUES('0b1e0e459a29f3e85a4ed3f8fc30a2ab46bbe86a','!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','$Hja1-6hVhXsiMESTlqYWitQJX1XO4HK9dNG6TFC48Ak',NULL,'@member:lab.test','chat','kept',NULL,'{"pace": [0, 2]}','[]',0,NULL,NULL,NULL,1.79597725449199056629e+09,1.79606365449199056622e+09,NULL,NULL,NULL,0,1795977254.211,NULL);
CREATE TABLE rooms (
        room_id            TEXT PRIMARY KEY,
        joined_at          DOUBLE PRECISION,
        greeted_at         DOUBLE PRECISION,
        last_picture_event TEXT
    , predecessor TEXT);
INSERT INTO "rooms" VALUES('!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o',1.7959772497240698338e+09,1.79597718673045587543e+09,'$xBzbFpS_EQGn2UNkaogo5TdkFYphCPPhQSte3d7lNX0','');
INSERT INTO "rooms" VALUES('!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto',1.79597724927143239975e+09,1.79597718919559478758e+09,'$gupU0sUyzoGQHq5JrNia1lTypLgvXzGfwBVc_Bsk7Ww','');
CREATE TABLE settings (
        room_id TEXT NOT NULL,
        name    TEXT NOT NULL,
        value   TEXT NOT NULL,
        PRIMARY KEY (room_id, name)
    );
INSERT INTO "settings" VALUES('!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','safe','off');
INSERT INTO "settings" VALUES('!CMD4ZD3ialw-4aRhabwqgLKJTVRWEYQQ-W-SnkXxDto','safe','off');
INSERT INTO "settings" VALUES('!vMiECM33ljLZfWoAtux27CXtT0CQYACf46MwFeRCe2o','model','otter-mini');
CREATE TABLE version (
                version INTEGER PRIMARY KEY
            );
INSERT INTO "version" VALUES(5);
CREATE INDEX handled_at ON handled (at);
CREATE INDEX requests_state ON requests (state);
CREATE INDEX requests_event ON requests (event_id);
CREATE INDEX parts_state ON parts (state);
CREATE INDEX parts_event ON parts (event_id);
COMMIT;
PRAGMA user_version = 0;
