import { Center, Loader } from "@mantine/core";
import { lazy, Suspense } from "react";
import type { RouteObject } from "react-router";

import { AccountsPage } from "../pages/accounts/AccountsPage";
import { AuditPage } from "../pages/audit/AuditPage";
import { IdentitiesPage } from "../pages/identities/IdentitiesPage";
import { InstitutionsPage } from "../pages/institutions/InstitutionsPage";
import { QualityPage } from "../pages/quality/QualityPage";
import { ReportPage } from "../pages/report/ReportPage";
import { SecondFactorPage } from "../pages/second-factor/SecondFactorPage";
import { SignInPage } from "../pages/sign-in/SignInPage";
import { TokensPage } from "../pages/tokens/TokensPage";
import { WelcomePage } from "../pages/welcome/WelcomePage";
import { Home } from "./Home";
import { Needs } from "./Needs";
import { NotFound } from "./NotFound";
import { Shell } from "./Shell";
import { SignedIn } from "./SignedIn";

/** Drawing images takes far more code than everything else: it comes when somebody looks at some. */
const ViewerPage = lazy(() => import("../pages/viewer/ViewerPage"));
const LocalPage = lazy(() => import("../pages/viewer/LocalPage"));
const waiting = (
  <Center mih="100dvh">
    <Loader />
  </Center>
);

/** Every page by its address. */
export const routes: RouteObject[] = [
  { path: "/sign-in", element: <SignInPage /> },
  { path: "/welcome", element: <WelcomePage /> },
  {
    element: <SignedIn />,
    children: [
      {
        // As large as the window, with its own bar.
        path: "/studies/:studyUid/view",
        element: (
          <Needs permission="view">
            <Suspense fallback={waiting}>
              <ViewerPage />
            </Suspense>
          </Needs>
        ),
      },
      {
        path: "/files",
        element: (
          <Suspense fallback={waiting}>
            <LocalPage />
          </Suspense>
        ),
      },
      {
        element: <Shell />,
        children: [
          { path: "/", element: <Home /> },
          { path: "/studies/:studyUid", element: <Needs permission="view" children={<ReportPage />} /> },
          { path: "/settings/sign-in", element: <IdentitiesPage /> },
          { path: "/settings/tokens", element: <TokensPage /> },
          { path: "/settings/second-factor", element: <SecondFactorPage /> },
          { path: "/quality", element: <Needs permission="quality" children={<QualityPage />} /> },
          { path: "/admin/accounts", element: <Needs permission="manage" children={<AccountsPage />} /> },
          { path: "/admin/institutions", element: <Needs permission="manage" children={<InstitutionsPage />} /> },
          { path: "/admin/audit", element: <Needs permission="audit" children={<AuditPage />} /> },
          { path: "*", element: <NotFound /> },
        ],
      },
    ],
  },
];
